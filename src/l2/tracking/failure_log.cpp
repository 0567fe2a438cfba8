#include "l2/tracking/failure_log.hpp"

#include <fmt/format.h>

#include "l2/tracking/tracking_registration.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void FailureLog::failed(LogLevel level, const std::string& cause) {
  if (causes_.size() >= kMost || !causes_.insert(cause).second) return;
  write_(level,
         fmt::format("no invalidation channel to {}: {}{}. L1 keeps no values of L2 until there is one; the next "
                     "attempt follows in about a second",
                     endpoint_, cause, remedy_for(cause)));
}

void FailureLog::recovered() {
  if (!causes_.empty()) write_(LogLevel::info, fmt::format("the invalidation channel to {} is up again", endpoint_));
  causes_.clear();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
