#include "link.hpp"

#include <fmt/format.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "../later.hpp"
#include "connection.hpp"
#include "fork_count.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

/// At most two attempts that fail in any such time, by whomever.
constexpr std::chrono::milliseconds kAttemptsWindow{1000};
/// Between attempts while the server is away: at random, so that a fleet does not come back as one.
constexpr std::chrono::milliseconds kLeastPause{550}, kMostPause{850};

TimePoint by(Duration limit) { return later(Clock::now(), limit); }

}  // namespace

std::string place(const Address& address) {
  return address.host.empty() ? address.socket_path : fmt::format("{}:{}", address.host, address.port);
}

Request greeting(const LinkOptions& options) {
  Request hello;
  if (!options.user.empty()) {
    hello.add({"AUTH", options.user, options.password});
  } else if (!options.password.empty()) {
    hello.add({"AUTH", options.password});
  }
  if (options.database != 0) hello.add({"SELECT", std::to_string(options.database)});
  return hello;
}

std::string fresh_token() {
  static const std::uint64_t process = std::random_device{}() | std::uint64_t{std::random_device{}()} << 32;
  static std::atomic<std::uint64_t> last{0};
  return fmt::format("{:x}.{:x}", process, ++last);
}

/// All that changes. A child of a fork gets one of its own: its parent's mutexes may be locked by threads that the
/// child does not have, and its parent's sockets are not its own.
struct Link::State {
  explicit State(const LinkOptions& given) : options(given), forks(fork_count()), slots(given.connections) {}

  const LinkOptions& options;
  const std::uint32_t forks;

  struct Slot {
    std::shared_ptr<Connection> connection;
    bool connecting = false;
  };
  std::mutex mutex;
  std::condition_variable changed;
  // Under mutex.
  std::vector<Slot> slots;
  std::array<TimePoint, 2> attempts{};  ///< the last two since one succeeded
  bool down = false;
  bool closed = false;
  std::thread recovery;
  bool preparing = false;  ///< `recovery` is at the first connection that was asked for beforehand
  std::shared_ptr<LinkWatch> watch;

  std::shared_ptr<Connection> connection(std::size_t index, TimePoint deadline);
  std::shared_ptr<Connection> make(TimePoint deadline);
  bool log_in(Connection& connection, TimePoint deadline, std::string& error);
  bool may_attempt(TimePoint now) const { return now - attempts[0] >= kAttemptsWindow; }
  void note_attempt(TimePoint now) { attempts = {attempts[1], now}; }
  void install(Slot& slot, std::shared_ptr<Connection> made);
  void prepare();
  void go_down();
  void recover();
  void close();
};

Link::Link(LinkOptions options) : options_(std::move(options)), state_(new State(options_)) {}

Link::~Link() {
  State* const own = state_.load();
  if (own->forks != fork_count()) return;  // the parent's: see below
  own->close();
  delete own;
}

Link::State& Link::state() {
  State* own = state_.load(std::memory_order_acquire);
  if (own->forks == fork_count()) [[likely]]
    return *own;
  // The parent's state is left as it is, for ever: nothing of it may be touched here, its locks included.
  auto fresh = std::make_unique<State>(options_);
  if (state_.compare_exchange_strong(own, fresh.get())) return *fresh.release();
  return *own;
}

bool Link::up() const {
  State& own = *state_.load(std::memory_order_acquire);
  if (own.forks != fork_count()) return true;  // not tried yet
  const std::lock_guard lock(own.mutex);
  return !own.down;
}

Answer Link::run(const Request& request, Purpose purpose) {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t mine = threads++;
  const TimePoint deadline = by(options_.operation_timeout);
  State& own = state();

  const bool verified = purpose != Purpose::read;
  std::string token;
  Request sealed;
  if (verified) {
    token = fresh_token();
    sealed = request;
    sealed.add({"PING", token});
  }
  const Request& whole = verified ? sealed : request;

  Answer answer;
  for (int attempt = 0; attempt < (options_.retry ? 2 : 1); ++attempt) {
    const auto connection = own.connection(mine % options_.connections, deadline);
    if (!connection) {
      if (attempt == 0) answer.fault = Fault::no_connection;
      return answer;
    }
    Exchange exchange(whole.commands());
    connection->run(exchange, whole.bytes(), deadline);
    answer.fault = exchange.fault;
    answer.maybe_executed = answer.maybe_executed || exchange.sent;
    if (answer.fault == Fault::none && verified) {
      const Reply& seal = exchange.replies.back();
      if (seal.is(Reply::Kind::text) && seal.text == token) {
        exchange.replies.pop_back();
      } else {
        connection->condemn("replies were out of step");
        answer.fault = Fault::protocol;
      }
    }
    if (answer.fault == Fault::none) {
      answer.replies = std::move(exchange.replies);
      return answer;
    }
    if (purpose == Purpose::write && exchange.sent) return answer;
    if (Clock::now() >= deadline) return answer;
  }
  return answer;
}

void Link::condemn(std::string_view why) {
  State& own = state();
  const std::lock_guard lock(own.mutex);
  for (auto& slot : own.slots) {
    if (slot.connection) slot.connection->condemn(why);
  }
}

// --- connecting

std::shared_ptr<Connection> Link::State::connection(std::size_t index, TimePoint deadline) {
  std::unique_lock lock(mutex);
  for (;;) {
    Slot& slot = slots[index];
    if (slot.connection && slot.connection->usable()) return slot.connection;
    if (down || closed) return nullptr;
    if (!slot.connecting) break;
    if (changed.wait_until(lock, deadline) == std::cv_status::timeout && slots[index].connecting) return nullptr;
  }
  const TimePoint now = Clock::now();
  if (!may_attempt(now)) {
    go_down();
    return nullptr;
  }
  note_attempt(now);
  slots[index].connecting = true;
  const auto lost = std::exchange(slots[index].connection, nullptr);
  lock.unlock();
  auto made = make(std::min(deadline, by(options.connect_timeout)));
  lock.lock();
  Slot& slot = slots[index];
  slot.connecting = false;
  if (made) {
    install(slot, made);
    attempts = {};
  } else {
    go_down();
  }
  changed.notify_all();
  return made;
}

void Link::State::install(Slot& slot, std::shared_ptr<Connection> made) {
  made->report_to(watch);
  slot.connection = std::move(made);
  if (watch) watch->made();
}

std::shared_ptr<Connection> Link::State::make(TimePoint deadline) {
  std::string error;
  auto stream = options.connect ? options.connect(options.address, deadline, error)
                                : connect_plain(options.address, deadline, error);
  std::shared_ptr<Connection> made;
  if (stream) {
    made = std::make_shared<Connection>(std::move(stream), options.limits);
    if (!log_in(*made, deadline, error)) made.reset();
  }
  if (!made)
    options.log.write(LogLevel::warning, fmt::format("no connection to {}: {}", place(options.address), error));
  return made;
}

bool Link::State::log_in(Connection& connection, TimePoint deadline, std::string& error) {
  Request hello = greeting(options);
  hello.add({"PING"});
  Exchange exchange(hello.commands());
  connection.run(exchange, hello.bytes(), deadline);
  if (exchange.fault != Fault::none) {
    error = connection.why();
    return false;
  }
  for (const Reply& reply : exchange.replies) {
    if (!reply.is(Reply::Kind::error)) continue;
    // The code alone: servers have been known to quote what they were sent.
    error = fmt::format("the server answered {}", reply.error_code());
    return false;
  }
  return true;
}

// --- for those to whom it matters which connection it is

std::shared_ptr<Connection> Link::current() {
  State& own = state();
  const std::lock_guard lock(own.mutex);
  const auto& first = own.slots[0].connection;
  return first && first->usable() ? first : nullptr;
}

void Link::prepare() { state().prepare(); }

void Link::State::prepare() {
  const std::lock_guard lock(mutex);
  Slot& first = slots[0];
  if (down || closed || first.connecting || (first.connection && first.connection->usable())) return;
  if (!may_attempt(Clock::now())) return;
  note_attempt(Clock::now());
  first.connecting = preparing = true;
  first.connection = nullptr;
  if (recovery.joinable()) recovery.join();  // it ended, see go_down
  recovery = std::thread([this] {
    auto made = make(by(options.connect_timeout));
    {
      const std::lock_guard relock(mutex);
      slots[0].connecting = preparing = false;
      if (made && !closed) {
        install(slots[0], std::move(made));
        attempts = {};
      } else {
        down = true;
      }
      changed.notify_all();
      if (!down) return;
    }
    recover();
  });
}

std::shared_ptr<LinkWatch> Link::watch() {
  State& own = state();
  const std::lock_guard lock(own.mutex);
  if (!own.watch) {
    own.watch = std::make_shared<LinkWatch>();
    for (auto& slot : own.slots) {
      if (slot.connection) slot.connection->report_to(own.watch);
    }
  }
  return own.watch;
}

// --- while the server is away

void Link::State::go_down() {
  if (down || closed) return;
  down = true;
  if (preparing) return;                     // that thread goes on to recover
  if (recovery.joinable()) recovery.join();  // it ended when the server came back last time
  recovery = std::thread([this] { recover(); });
}

void Link::State::recover() {
  std::minstd_rand random(std::random_device{}());
  std::uniform_int_distribution<std::int64_t> pause(kLeastPause.count(), kMostPause.count());
  std::unique_lock lock(mutex);
  for (;;) {
    const TimePoint next = std::max(by(std::chrono::milliseconds(pause(random))), attempts[0] + kAttemptsWindow);
    changed.wait_until(lock, next, [&] { return closed; });
    if (closed) return;
    note_attempt(Clock::now());
    lock.unlock();
    auto made = make(by(options.connect_timeout));
    if (made) options.log.write(LogLevel::info, fmt::format("connected to {} again", place(options.address)));
    lock.lock();
    if (!made) continue;
    install(slots[0], std::move(made));
    attempts = {};
    down = false;
    changed.notify_all();
    return;
  }
}

void Link::State::close() {
  std::thread ending;
  {
    const std::lock_guard lock(mutex);
    closed = true;
    ending.swap(recovery);
    for (auto& slot : slots) {
      if (slot.connection) slot.connection->condemn("the cache was closed");
    }
    changed.notify_all();
  }
  if (ending.joinable()) ending.join();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
