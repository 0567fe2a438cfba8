#include "base/nonce.hpp"

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <string_view>

#include "base/random_word.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

std::uint64_t process_number() {
  static const std::uint64_t drawn = random_word();
  return drawn + static_cast<std::uint64_t>(::getpid());  // asked each time: the child of a fork has drawn the same
}

}  // namespace

std::string new_nonce() {
  static std::atomic<std::uint64_t> last{0};
  // Short enough for a std::string to hold without an allocation: 36 bits of the process's, 54 of its own.
  static constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-";
  constexpr std::size_t kOfProcess = 6, kLength = 15;
  std::string nonce(kLength, '0');
  const auto write = [&](std::size_t from, std::size_t to, std::uint64_t number) {
    for (; to > from; number /= kDigits.size()) nonce[--to] = kDigits[number % kDigits.size()];
  };
  write(0, kOfProcess, process_number());
  write(kOfProcess, kLength, ++last);
  return nonce;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
