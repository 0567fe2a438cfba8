#pragma once
#include <cstddef>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The room that a read is given at least.
inline constexpr std::size_t kReadAtLeast = std::size_t{16} << 10;
/// Values from this size on travel on connections of their own.
inline constexpr std::size_t kLargeValue = std::size_t{256} << 10;
/// What is kept of a connection's buffers between requests and between messages.
inline constexpr std::size_t kKeptBuffer = std::size_t{256} << 10;

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
