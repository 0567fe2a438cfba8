#pragma once
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/fork_count.hpp"
#include "base/saturating_add.hpp"
#include "l2/client/breaker.hpp"
#include "l2/client/connection.hpp"
#include "l2/client/link.hpp"
#include "l2/client/reconnect_backoff.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A message that cannot be written is still no reason to fail.
template <class... Args>
void say(const Log& log, LogLevel level, fmt::format_string<Args...> format, Args&&... args) noexcept {
  try {
    log.write(level, fmt::format(format, std::forward<Args>(args)...));
  } catch (const std::exception&) {  // no memory, or nowhere to write
  }
}

/// That long from now, on the clock that deadlines go by.
inline TimePoint by(Duration limit) { return saturating_add(std::chrono::steady_clock::now(), limit); }

/// All that changes. A child of a fork gets one of its own: its parent's mutexes may be locked by threads that the
/// child does not have, and its parent's sockets are not its own.
struct Link::State {
  explicit State(const LinkOptions& given)
      : options(given), forks(fork_count()), slots(given.connections), breaker(given.operation_timeout) {}

  const LinkOptions& options;
  const std::uint32_t forks;
  std::atomic<std::uint64_t> attempts_made{0}, breaker_changes{0};
  /// There is something that a success would put right. Without it a success takes no lock.
  std::atomic<bool> uneasy{false};

  /// A connection to the server, and what is known of its worth.
  struct Line : Connection {
    using Connection::Connection;
    std::atomic<bool> served{false};
    const TimePoint made = std::chrono::steady_clock::now();
  };
  struct Slot {
    std::shared_ptr<Line> line;
    bool connecting = false;
  };
  std::mutex mutex;
  std::condition_variable changed;
  // Under mutex.
  std::vector<Slot> slots;
  AttemptLimit attempts;
  Breaker breaker;
  ProbePauses pauses;
  ProbePatience patience;
  /// Why the last attempt to connect failed, or the server was given up: a kept reason.
  std::string_view trouble = "the server is out of reach";
  bool closed = false;
  bool recovering = false;
  bool recovering_here = false;  ///< no thread was to be had: a caller tries, and then the next
  std::thread recovery;
  std::thread preparation;  ///< makes the first connection when it was asked for beforehand
  std::shared_ptr<LinkWatch> watch;

  /// What a request goes by. On trial, it must come to an end whatever happens.
  class Way {
   public:
    explicit Way(State& state) : state_(state) {}
    ~Way() {
      if (trial) state_.give_back();
    }
    Way(const Way&) = delete;
    Way& operator=(const Way&) = delete;
    std::shared_ptr<Line> line;  ///< null: none is to be had
    bool trial = false;
    std::string_view why;  ///< without a line

   private:
    State& state_;
  };

  void find(Way& way, std::size_t index, TimePoint deadline);
  void judge(Way& way, const std::vector<Reply>& replies);
  void judge(Way& way, Fault fault, std::string_view why);
  void look_elsewhere(Line& line);
  void failed(Way& way, bool refused, std::string_view why);
  void give_back();
  std::string_view why_not();
  std::shared_ptr<Line> make(TimePoint deadline) noexcept;
  bool log_in(Connection& connection, TimePoint deadline, std::string& error, std::string_view& refusal);
  void note_trouble(std::string_view refusal, std::string_view error) noexcept;
  void install(Slot& slot, std::shared_ptr<Line> made);
  void prepare();
  void note_attempt(TimePoint now);
  void go_down(bool probe_is_proof);
  bool start_recovery();
  void recover() noexcept;
  bool try_recovery(std::unique_lock<std::mutex>& lock, TimePoint end);
  bool may_recover_here(TimePoint now) const;
  void close();
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
