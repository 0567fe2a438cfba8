#pragma once
#include <functional>
#include <memory>
#include <thread>

#include "l2/net/wake.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A thread that waits for slow things, so that its owner need not: one errand at a time. One thread.
///
/// At the end an errand under way is interrupted where it waits for a socket (see Interruptible); it must end by a
/// deadline all the same, since other things that it waits for cannot be.
class BlockingWorker {
 public:
  /// `done` is rung after each errand.
  explicit BlockingWorker(std::shared_ptr<LinkWatch> done);
  ~BlockingWorker();
  BlockingWorker(const BlockingWorker&) = delete;
  BlockingWorker& operator=(const BlockingWorker&) = delete;

  /// What the last errand wrote may be read when this is true.
  bool idle() const;
  /// Only when idle. One that throws is over like any other: what it wrote until then says so. False: there is no
  /// thread to be had for it, and it was dropped.
  bool run(std::function<void()> errand);
  /// Begins nothing more and interrupts what is under way. By any thread.
  void end() noexcept;
  /// After end(): waits for what is under way. By the destructor's thread.
  void join() noexcept;

 private:
  struct Shared;
  const std::unique_ptr<Shared> shared_;
  std::thread thread_;  ///< started by the first errand
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
