#include "l2/tracking/failure_log.hpp"

#include <fmt/format.h>

#include "l2/tracking/tracking_registration.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

std::string no_channel_message(std::string_view server, std::string_view why, std::string_view next) {
  return fmt::format("no invalidation channel{}: {}. L1 stores no values of L2 until the channel is up; {}", server,
                     why, next);
}

void FailureLog::failed(LogLevel level, const std::string& cause) {
  if (causes_.size() >= kMost || !causes_.insert(cause).second) return;
  write_(level, no_channel_message(fmt::format(" to {}", endpoint_), fmt::format("{}{}", cause, remedy_for(cause)),
                                   "the next attempt follows in about a second"));
}

void FailureLog::recovered() {
  if (!causes_.empty()) write_(LogLevel::info, fmt::format("the invalidation channel to {} is up again", endpoint_));
  causes_.clear();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
