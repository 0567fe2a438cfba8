#pragma once
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <dsta/cache/log.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The log message that there is no invalidation channel: ` to ENDPOINT` or empty, the cause, and what happens next.
std::string no_channel_message(std::string_view server, std::string_view why, std::string_view next);

/// Logs why there is no invalidation channel: each cause once, until the channel is up. One thread.
class FailureLog {
 public:
  using Write = std::function<void(LogLevel, std::string)>;
  /// `endpoint`: the server's address, for the messages.
  FailureLog(std::string endpoint, Write write) : endpoint_(std::move(endpoint)), write_(std::move(write)) {}

  void failed(LogLevel level, const std::string& cause);
  /// The channel is up: says so if it was said that there is none.
  void recovered();

 private:
  /// Causes that are remembered.
  static constexpr std::size_t kMost = 16;

  const std::string endpoint_;
  const Write write_;
  std::set<std::string> causes_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
