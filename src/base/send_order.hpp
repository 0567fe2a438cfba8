#pragma once
#include <compare>
#include <cstdint>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Where a request stands among those of this process. A server executes what comes over one connection in the order in
/// which it was sent; of requests over different connections nothing is known.
struct SendOrder {
  std::uint64_t connection = 0;  ///< 0: it was not sent
  std::uint64_t place = 0;

  bool sent() const { return connection != 0; }
  friend bool operator==(const SendOrder&, const SendOrder&) = default;
  friend std::partial_ordering operator<=>(const SendOrder& one, const SendOrder& other) {
    if (one.connection != other.connection || !one.sent()) return std::partial_ordering::unordered;
    return one.place <=> other.place;
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
