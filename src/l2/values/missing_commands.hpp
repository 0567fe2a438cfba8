#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/log.hpp>

#include "base/fork_count.hpp"
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
      const MutexLock lock(own_->mutex);
      if (std::ranges::find(own_->all, command, &Missing::command) != own_->all.end()) return;
      own_->all.push_back({command, lost});
      any_ = true;
    }
    log_.write(LogLevel::warning, fmt::format("{} offers no {} ({}): {}", server_, command, why, lost));
  }
  /// It is there by now. Cheap while nothing is missing.
  void remove(std::string_view command) {
    if (!any_.load(std::memory_order_relaxed)) [[likely]]
      return;
    const MutexLock lock(own_->mutex);
    std::erase_if(own_->all, [&](const Missing& each) { return each.command == command; });
    any_ = !own_->all.empty();
  }
  void clear() {
    if (!any_.load(std::memory_order_relaxed)) return;
    const MutexLock lock(own_->mutex);
    own_->all.clear();
    any_ = false;
  }
  /// In the child of a fork: another thread of the parent may have held the lock. It finds out by itself.
  void forked() {
    replace_in_child(own_, std::make_unique<Own>());
    any_ = false;
  }
  /// `TIME: this process's own clock is used; EVAL: …`, or nothing.
  std::string text() const {
    std::string text;
    if (!any_.load(std::memory_order_relaxed)) return text;
    const MutexLock lock(own_->mutex);
    for (const auto& [command, lost] : own_->all) {
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
  struct Own {
    Mutex mutex;
    std::vector<Missing> all DSTA_GUARDED_BY(mutex);
  };
  std::unique_ptr<Own> own_ = std::make_unique<Own>();
  std::atomic<bool> any_{false};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
