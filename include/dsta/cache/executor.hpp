#pragma once
#include <cstddef>
#include <functional>
#include <memory>

namespace dsta::cache {
inline namespace v1 {

/// Where background work runs: refreshes, warming, scheduled jobs. Thread-safe. Bounded: a full executor refuses, and
/// the work is then not started (a refresh is tried again by the next hit).
class Executor {
 public:
  virtual ~Executor() = default;

  /// Runs `task` some time later on some thread and returns true, or returns false at once when there is no room. An
  /// exception counts as false, and so does a task that is destroyed without having run.
  virtual bool try_post(std::function<void()> task) = 0;
};

/// A pool of at most `threads` threads, each started when first needed, and a queue of at most `queue` tasks waiting.
/// Its destructor drops what waits and joins what runs.
std::shared_ptr<Executor> thread_pool(std::size_t threads = 4, std::size_t queue = 1024);

}  // namespace v1
}  // namespace dsta::cache
