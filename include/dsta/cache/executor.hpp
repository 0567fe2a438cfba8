#pragma once
#include <cstddef>
#include <functional>
#include <memory>

namespace dsta::cache {
inline namespace v1 {

/// Runs background work: refreshes, warming, scheduled jobs, loads with a load_timeout. Thread-safe. Bounded: a full
/// executor refuses a task, and the work is then not started (the next hit tries a refresh again).
class Executor {
 public:
  virtual ~Executor() = default;

  /// Runs `task` later on any thread and returns true, or returns false at once when there is no room. An exception
  /// counts as false. A task that is destroyed without having run counts as refused.
  virtual bool try_post(std::function<void()> task) = 0;
};

/// A pool of at most `threads` threads, each started when first needed, with a queue of at most `queue` waiting tasks
/// (0: a task is refused unless a thread is free for it).
/// Its destructor drops waiting tasks and waits for running ones. Throws ConfigError for 0 threads.
std::shared_ptr<Executor> thread_pool(std::size_t threads = 4, std::size_t queue = 1024);

}  // namespace v1
}  // namespace dsta::cache
