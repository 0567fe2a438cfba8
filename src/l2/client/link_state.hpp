#pragma once
#include <fmt/format.h>

#include <atomic>
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/fork_count.hpp"
#include "base/mutex.hpp"
#include "base/saturating_add.hpp"
#include "l2/client/connection.hpp"
#include "l2/client/handshake.hpp"
#include "l2/client/link.hpp"
#include "l2/client/link_breaker.hpp"
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

/// Who tries the server while a breaker is open.
///
///     from       to         when
///     none       by_thread  a breaker opened, or a request found it open and no thread at work
///     none       by_caller  there is no thread to be had: a caller tries, then the next one
///     by_caller  by_thread  a thread was to be had meanwhile
///     by_caller  none       the caller's attempt has ended
///     by_thread  none       the server is back, or the link was closed
enum class Recovery : std::uint8_t { none, by_thread, by_caller };

constexpr bool is_transition(Recovery from, Recovery to) {
  return from != to && !(from == Recovery::by_thread && to == Recovery::by_caller);
}

/// All of a link that changes. A child of a fork gets one of its own: its parent's mutexes may be locked by threads
/// that the child does not have, and its parent's sockets are not its own.
struct Link::State {
  explicit State(const LinkOptions& given)
      : options(given),
        endpoint(server_name(given)),
        forks(fork_count()),
        slots(given.connections),
        large_slots(given.large_connections),
        breaker(given.operation_timeout, {breaker_changes, awaits_success}, "the server is out of reach"),
        write_breaker(given.operation_timeout, {breaker_changes, awaits_write}, {}) {}

  const LinkOptions& options;
  const std::string endpoint;  ///< for messages
  const std::uint32_t forks;
  std::atomic<std::uint64_t> attempts_made{0}, breaker_changes{0}, server_changes{0}, connections_made{0};
  const std::shared_ptr<EchoWay> echo_way = std::make_shared<EchoWay>([log = options.log, to = endpoint](auto refused) {
    const bool echo = refused == EchoWay::By::echo;
    say(log, LogLevel::warning, "{} offers no {}: replies are checked by {}", to, echo ? "ECHO" : "PING with a word",
        echo ? "PING" : "their order alone");
  });
  std::atomic<bool> awaits_success{false};  ///< see BreakerSignals
  std::atomic<bool> awaits_write{false};    ///< likewise, of requests that write

  /// A connection to the server, and what is known of its worth.
  struct Pooled : Connection {
    using Connection::Connection;
    std::atomic<bool> served{false};
    std::uint64_t server = 0;                     ///< ServerPlace::number of the one that it goes to
    std::atomic<bool> answered{false};            ///< of one for large values: a request
    std::atomic<int> users{0};                    ///< likewise: requests that have it
    std::atomic<TimePoint> left_at{TimePoint{}};  ///< and when the last of them ended
    std::uint64_t given_up_write = 0;             ///< place of the last one, under the state's mutex
    const TimePoint made = std::chrono::steady_clock::now();
  };
  struct Slot {
    std::shared_ptr<Pooled> connection;
    bool connecting = false;
  };
  /// Held from when another server was found until on_new_server has returned: nobody uses it before. Taken before
  /// `mutex`.
  Mutex server_change;
  Mutex mutex;
  std::condition_variable changed;
  ServerPlace server DSTA_GUARDED_BY(mutex);
  Address looked_at DSTA_GUARDED_BY(mutex);
  std::uint64_t installed_server DSTA_GUARDED_BY(mutex) = 0;  ///< number of the one that was used last
  /// To connect to a server that may move.
  class Attempt;
  std::vector<Attempt*> attempts_under_way DSTA_GUARDED_BY(mutex);
  std::vector<Slot> slots DSTA_GUARDED_BY(mutex);
  std::vector<Slot> large_slots DSTA_GUARDED_BY(mutex);
  TimePoint next_large DSTA_GUARDED_BY(mutex) = {};  ///< from when on one more may be made
  TimePoint large_from DSTA_GUARDED_BY(mutex) = {};  ///< and from when on any are used
  bool lacks_large DSTA_GUARDED_BY(mutex) = false;   ///< the last attempt to make one failed, and that was said
  AttemptLimit attempts DSTA_GUARDED_BY(mutex);
  /// Its reason is that of the last attempt to connect, too.
  LinkBreaker breaker DSTA_GUARDED_BY(mutex);
  /// Of the requests that write, where others succeed between their failures: else the other one opens first.
  LinkBreaker write_breaker DSTA_GUARDED_BY(mutex);
  ProbePauses pauses DSTA_GUARDED_BY(mutex);
  ProbePatience patience DSTA_GUARDED_BY(mutex);
  bool closed DSTA_GUARDED_BY(mutex) = false;
  TimePoint last_recovery DSTA_GUARDED_BY(mutex) = {};  ///< when it was tried last
  bool hurries DSTA_GUARDED_BY(mutex) = false;  ///< it is to be tried at once: the server was said to have moved
  Recovery recovery DSTA_GUARDED_BY(mutex) = Recovery::none;
  std::shared_ptr<Pooled> write_test DSTA_GUARDED_BY(mutex);  ///< the connection of the probe that writes
  std::thread recovery_thread DSTA_GUARDED_BY(mutex);
  std::thread background_connect DSTA_GUARDED_BY(mutex);  ///< see Link::connect_in_background()
  std::shared_ptr<LinkWatch> watch DSTA_GUARDED_BY(mutex);

  /// The connection that a request uses. If the half-open breaker let the request through, it must come to an end
  /// whatever happens.
  class Checkout {
   public:
    Checkout(State& state, const Request& asked) : request(asked), state_(state) {}
    ~Checkout() {
      if (half_open || tests_writes) state_.give_up_half_open(*this);
      if (large) leave_large();
    }
    Checkout(const Checkout&) = delete;
    Checkout& operator=(const Checkout&) = delete;
    const Request& request;
    std::shared_ptr<Pooled> connection;  ///< null: none is to be had
    bool half_open = false;              ///< the half-open breaker let this request through
    bool tests_writes = false;           ///< that of writes did
    bool large = false;                  ///< the connection is one for large values
    std::uint64_t moved_before = 0;      ///< such a one: bytes, before this request
    std::string_view why;                ///< without a connection

   private:
    void leave_large() const;
    State& state_;
  };

  // link_checkout.cpp: from a request to a connection, and what its outcome says of the server.
  void check_out(Checkout& checkout, Lane lane, std::size_t index, TimePoint deadline) {
    if (lane == Lane::shared) [[likely]]
      return check_out(checkout, index, deadline);
    check_out_beside(checkout, lane, index, deadline);
  }
  void check_out(Checkout& checkout, std::size_t index, TimePoint deadline);
  void check_out_beside(Checkout& checkout, Lane lane, std::size_t index, TimePoint deadline);
  /// Of a request that failed, and of which parts were sent or not.
  bool may_repeat(const Checkout& checkout, Purpose purpose, bool sent, const Answer& failed) const;
  void record(Checkout& checkout, const std::vector<Reply>& replies);
  void record(Checkout& checkout, const Answer& failed);
  void record_success(Checkout& checkout);
  void record_failure(Checkout& checkout, bool refused, std::string_view why);
  void record_slow_write(Checkout& checkout, std::string_view why);
  bool write_failed(Checkout& checkout, std::string_view why) DSTA_REQUIRES(mutex);
  void say_writes_fail(std::string_view why) const;
  void give_up_half_open(const Checkout& checkout);
  std::string_view why_no_time_is_left();

  // link_large.cpp: connections for large values.
  bool check_out_large(Checkout& checkout, Lane lane, TimePoint deadline);
  void leave_large_for_now(const Checkout& checkout);
  void close_idle();

  // link_connect.cpp: making connections, for a request, beforehand, and by itself after the server was away.
  std::shared_ptr<Pooled> connect(TimePoint deadline) noexcept;
  std::shared_ptr<Pooled> connect_to(const Address& address, TimePoint deadline, std::string& error,
                                     std::string_view& refusal);
  std::shared_ptr<Pooled> open(const Address& address, TimePoint deadline, std::string& error,
                               std::string_view& refusal, std::string& run) const;
  bool install(Slot& slot, const std::shared_ptr<Pooled>& made) DSTA_REQUIRES(mutex);
  void connect_in_background();
  void note_attempt(TimePoint now) DSTA_REQUIRES(mutex);
  void go_down(bool probe_closes) DSTA_REQUIRES(mutex);
  void move_to(Recovery to) DSTA_REQUIRES(mutex);
  bool start_recovery() DSTA_REQUIRES(mutex);
  void recover_on_caller(TimePoint deadline) DSTA_REQUIRES(mutex);
  void recover() noexcept;
  bool try_recovery(TimePoint end) DSTA_REQUIRES(mutex);
  void try_connection(TimePoint end) DSTA_REQUIRES(mutex);
  void try_write(TimePoint end) DSTA_REQUIRES(mutex);
  Probed probe(const Request& request);
  void close();

  // link_server.cpp: where the server may move.
  std::shared_ptr<Pooled> find_and_connect(TimePoint deadline, std::string& error, std::string_view& refusal);
  std::shared_ptr<Pooled> find_and_connect_once(TimePoint deadline, std::string& error, std::string_view& refusal);
  void note_server(Pooled& made, const Address& address, std::string run);
  void server_moved(std::string_view why);
  bool was_reached();
  void look_at(const Address& address);
  void end_connections(std::string_view why) DSTA_REQUIRES(mutex);
  void interrupt_attempts() DSTA_REQUIRES(mutex);

 private:
  enum class Next : std::uint8_t { use, refuse, wait, connect };
  Next next_for(Checkout& checkout, std::size_t& index, TimePoint deadline) DSTA_REQUIRES(mutex);
  void connect_slot(Checkout& checkout, Slot& slot, TimePoint deadline) DSTA_REQUIRES(mutex);
  Slot* choose_large(Lane lane) DSTA_REQUIRES(mutex);
  void connect_large(Slot& slot, TimePoint deadline) DSTA_REQUIRES(mutex);
  std::shared_ptr<Pooled> connect_beside(const Connection& shared, const ServerPlace& place, TimePoint deadline,
                                         std::string& error) noexcept;
  void drop_idle(TimePoint now) DSTA_REQUIRES(mutex);
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
