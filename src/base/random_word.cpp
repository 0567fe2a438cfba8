#include "base/random_word.hpp"

#include <chrono>
#include <exception>
#include <random>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

std::uint64_t random_word() noexcept {
  try {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
  } catch (const std::exception&) {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) ^
           reinterpret_cast<std::uint64_t>(&random_word);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
