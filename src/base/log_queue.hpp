#pragma once
#include <chrono>
#include <memory>
#include <string>

#include <dsta/cache/log.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Writes messages to a log on a thread of its own, in order: for threads that must not wait for a user's sink, nor see
/// what it throws. Bounded: while the sink is slow, messages beyond kMost are dropped and counted, and the count is
/// written. Thread-safe.
class LogQueue {
 public:
  static constexpr std::size_t kMost = 256;

  explicit LogQueue(Log log);
  /// Writes nothing more.
  ~LogQueue();
  LogQueue(const LogQueue&) = delete;
  LogQueue& operator=(const LogQueue&) = delete;

  /// Returns at once.
  void post(LogLevel level, std::string message) noexcept;
  /// Where there was no thread to be had, tries again. Costs a load otherwise.
  void tend() noexcept;
  /// Takes no more, and waits at most `patience` until all is written; the sink is not called afterwards, but for a
  /// call that has not returned by then.
  void close(std::chrono::milliseconds patience) noexcept;

 private:
  struct State;
  const std::shared_ptr<State> state_;  ///< shared with the thread, which a sink may hold up for ever
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
