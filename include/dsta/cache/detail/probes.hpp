#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Points at which tests stop a thread to force a race. Empty otherwise.
struct Probes {
  enum class Point : std::uint8_t {
    before_queue,
    before_load,
    before_store,
    after_store,
    before_wait,
    before_l2_store,
    before_l1_store,
    unconfirmed,  ///< an invalidation was not confirmed, and is not pending yet
  };
  void at(Point point, std::string_view key) const {
    if (probe) probe(point, key);
  }

  std::function<void(Point, std::string_view key)> probe = nullptr;
  /// The same where the channel reports that an entry was changed: on a thread of the manager's, so it may be set at
  /// any time.
  std::atomic<const std::function<void()>*> before_report{nullptr};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
