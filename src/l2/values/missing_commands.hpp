#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/log.hpp>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The commands that the server does not know or the user may not run, and what is lost without them: each is said
/// once, and listed for check_health(). Thread-safe.
class MissingCommands {
 public:
  /// `log` must outlive this.
  MissingCommands(const Log& log, std::string server) : log_(log), server_(std::move(server)) {}

  /// `command`, `lost`: literals. `why`: what the server said.
  void add(std::string_view command, std::string_view lost, std::string_view why) {
    {
      const MutexLock lock(mutex_);
      if (std::ranges::find(all_, command, &Missing::command) != all_.end()) return;
      all_.push_back({command, lost});
    }
    log_.write(LogLevel::warning, fmt::format("{} offers no {} ({}): {}", server_, command, why, lost));
  }
  /// It is there by now.
  void remove(std::string_view command) {
    const MutexLock lock(mutex_);
    std::erase_if(all_, [&](const Missing& each) { return each.command == command; });
  }
  void clear() {
    const MutexLock lock(mutex_);
    all_.clear();
  }
  /// `TIME: this process's own clock is used; EVAL: …`, or nothing.
  std::string text() const {
    const MutexLock lock(mutex_);
    std::string text;
    for (const auto& [command, lost] : all_) {
      text.append(text.empty() ? "no " : "; no ").append(command).append(": ").append(lost);
    }
    return text;
  }

 private:
  struct Missing {
    std::string_view command, lost;
  };
  const Log& log_;
  const std::string server_;
  mutable Mutex mutex_;
  std::vector<Missing> all_ DSTA_GUARDED_BY(mutex_);
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
