#include "l2/net/wake.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

Wake::Wake() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) throw std::system_error(errno, std::system_category(), "eventfd");
}

void Wake::ring() const noexcept {
  const std::uint64_t one = 1;
  // It fails only when it is rung already as often as it can count.
  static_cast<void>(::write(fd_.get(), &one, sizeof one) == 0);
}

void Wake::clear() const noexcept {
  std::uint64_t rung = 0;
  static_cast<void>(::read(fd_.get(), &rung, sizeof rung) == 0);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
