#include <dsta/cache/log.hpp>

#include <fmt/format.h>

#include <cstdio>

namespace dsta::cache {
inline namespace v1 {

void Log::write(LogLevel message_level, std::string_view message) const {
  if (message_level < level || level == LogLevel::off) return;
  constexpr const char* kNames[] = {"debug", "info", "warning", "error", "off"};
  try {
    if (sink) {
      sink(message_level, message);
    } else {
      fmt::print(stderr, "dsta::cache: {}: {}\n", kNames[static_cast<int>(message_level)], message);
    }
  } catch (...) {  // nowhere is left to say so, and what was logged must not fail because of it
  }
}

}  // namespace v1
}  // namespace dsta::cache
