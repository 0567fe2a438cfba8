#pragma once
#include <functional>
#include <string_view>

namespace dsta::cache {
inline namespace v1 {

enum class LogLevel { debug, info, warning, error, off };

/// Where the library's messages go: a level and a function, called from any thread, never under a lock of the cache.
/// What it throws is dropped. A message names the operation, the key's prefix (never a value, never a secret), the
/// cause and what happens next.
struct Log {
  LogLevel level = LogLevel::warning;
  /// Empty: one line to stderr.
  std::function<void(LogLevel, std::string_view message)> sink = {};

  void write(LogLevel message_level, std::string_view message) const;
};

}  // namespace v1
}  // namespace dsta::cache
