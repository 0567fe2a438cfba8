#pragma once
#include <functional>
#include <string_view>

namespace dsta::cache {
inline namespace v1 {

/// How important a message is; `off` as a level logs nothing.
enum class LogLevel { debug, info, warning, error, off };

/// The log: a level and a function. The function is called from any thread, and never under a lock of the cache. Its
/// exceptions are dropped. A message names the operation, the prefix of the key (never a value, never a secret), the
/// cause and what happens next.
struct Log {
  /// Messages below this level are not written. Default warning.
  LogLevel level = LogLevel::warning;
  /// Writes one message. Default empty: one line to stderr.
  std::function<void(LogLevel, std::string_view message)> sink = {};

  /// Writes a message if its level is enabled. Never throws what the sink throws. Thread-safe if the sink is.
  void write(LogLevel message_level, std::string_view message) const;
};

}  // namespace v1
}  // namespace dsta::cache
