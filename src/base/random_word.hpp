#pragma once
#include <cstdint>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Random, from the system; from the time and an address where it has no source of entropy. Thread-safe.
std::uint64_t random_word() noexcept;

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
