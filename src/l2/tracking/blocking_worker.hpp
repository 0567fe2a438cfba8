#pragma once
#include <functional>
#include <memory>
#include <thread>

#include "l2/net/wake.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A thread that runs jobs which block, one at a time, so that its owner need not wait. For one owner thread.
///
/// At the end a running job is interrupted where it waits for a socket (see Interruptible); it must end by a deadline
/// all the same, since other things that it waits for cannot be interrupted.
class BlockingWorker {
 public:
  /// `done` is notified after each job.
  explicit BlockingWorker(std::shared_ptr<LinkWatch> done);
  ~BlockingWorker();
  BlockingWorker(const BlockingWorker&) = delete;
  BlockingWorker& operator=(const BlockingWorker&) = delete;

  /// What the last job wrote may be read when this is true.
  bool idle() const;
  /// Only when idle. A job that throws has ended like any other: what it wrote until then says so. False: there is no
  /// thread to be had for it, and it was dropped.
  bool run(std::function<void()> job);
  /// Begins nothing more and interrupts what is running. By any thread.
  void end() noexcept;
  /// After end(): waits for what is running. By the destructor's thread.
  void join() noexcept;

 private:
  struct Shared;
  const std::unique_ptr<Shared> shared_;
  std::thread thread_;  ///< started by the first job
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
