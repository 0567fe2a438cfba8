/// Where the server of a link may move: finding it, noticing that it is another one, leaving the former.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "l2/client/link_state.hpp"
#include "l2/client/server_role.hpp"
#include "l2/net/wake.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

/// An attempt to connect: while it lives it begins again at once when the server is said to be elsewhere, as what it
/// waits for may be a machine that swallows all packets.
class Link::State::Attempt {
 public:
  explicit Attempt(State& state) : state_(state), interruptible_(wake_.descriptor()) {
    const MutexLock lock(state_.mutex);
    state_.attempts_under_way.push_back(this);
  }
  ~Attempt() {
    const MutexLock lock(state_.mutex);
    std::erase(state_.attempts_under_way, this);
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  /// Under the link's mutex.
  void interrupt() {
    interrupted_ = true;
    wake_.ring();
  }
  /// True: it was interrupted, and is to begin again.
  bool begins_again() {
    const MutexLock lock(state_.mutex);
    if (!std::exchange(interrupted_, false) || state_.closed) return false;
    wake_.clear();
    return true;
  }

 private:
  State& state_;
  const Wake wake_;
  bool interrupted_ = false;  ///< under the link's mutex
  const Interruptible interruptible_;
};

std::shared_ptr<Link::State::Pooled> Link::State::find_and_connect(TimePoint deadline, std::string& error,
                                                                   std::string_view& refusal) {
  Attempt attempt(*this);
  while (true) {
    auto made = find_and_connect_once(deadline, error, refusal);
    if (made || !attempt.begins_again() || Clock::now() >= deadline) return made;
  }
}

std::shared_ptr<Link::State::Pooled> Link::State::find_and_connect_once(TimePoint deadline, std::string& error,
                                                                        std::string_view& refusal) {
  // After a failover some of those who say where the master is hear of it later than others.
  std::vector<std::string> tried;
  std::size_t source = options.finder->first();
  for (std::size_t round = 0; round < options.finder->sources(); ++round) {
    const TimePoint now = Clock::now();
    std::string unanswered;
    // Half of the time is for the server itself.
    const auto found = options.finder->find(source, now + (deadline - now) / 2, unanswered);
    if (!found) {
      if (tried.empty()) error = unanswered;
      break;
    }
    const std::string name = endpoint_name(found->address);
    if (std::ranges::find(tried, name) == tried.end()) {
      tried.push_back(name);
      refusal = {};
      look_at(found->address);
      if (auto made = connect_to(found->address, deadline, error, refusal)) return made;
      const bool refused = !refusal.empty();
      if (!options.finder->moves() || (refused && refusal != kNotMaster)) return nullptr;
      error =
          fmt::format("{}, which the sentinels name: {}{}", name, refused ? refusal : std::string_view(error),
                      refused || was_reached() ? "" : " (if it has another address from here, give it in address_map)");
      refusal = {};
    }
    options.finder->found_wrong(found->source);
    source = found->source + 1;
  }
  return nullptr;
}

void Link::State::look_at(const Address& address) {
  const MutexLock lock(mutex);
  looked_at = address;
}

bool Link::State::was_reached() {
  const MutexLock lock(mutex);
  return server.number != 0;
}

/// A connection was made to the server at `address`, whose history is `run`. See LinkOptions::on_new_server.
void Link::State::note_server(Pooled& made, const Address& address, std::string run) {
  bool first = false;
  {
    const MutexLock change(server_change);
    MutexLock lock(mutex);
    first = server.number == 0;
    const bool same_place = server.address.host == address.host && server.address.port == address.port;
    const bool same = run.empty() ? server.run.empty() && same_place : server.run == run;
    if (!first && same) {
      made.server = server.number;
      return;
    }
    if (!first) end_connections("the master has changed");
    server = {.address = address, .run = std::move(run), .number = server.number + 1};
    made.server = server.number;
    lock.unlock();
    if (!first) {
      server_changes.fetch_add(1, std::memory_order_relaxed);
      echo_way->start_over();
      if (options.on_new_server) options.on_new_server();
    }
  }
  // Without the locks: the user's sink may ask the cache.
  if (!options.finder->moves()) {
    if (first) return;
    return say(options.log, LogLevel::warning, "{} was restarted, or follows another history now", endpoint);
  }
  if (first) return say(options.log, LogLevel::info, "{} is {}", endpoint, endpoint_name(address));
  say(options.log, LogLevel::warning, "{} is now {}", endpoint, endpoint_name(address));
}

void Link::State::server_moved(std::string_view why) {
  const MutexLock lock(mutex);
  if (closed) return;
  end_connections(why);
  interrupt_attempts();
  attempts.forget();
  pauses.reset();
  last_recovery = {};
  hurries = breaker.is_open() || write_breaker.is_open();
  if (hurries) start_recovery();
  changed.notify_all();
}

void Link::State::interrupt_attempts() {
  for (Attempt* const attempt : attempts_under_way) attempt->interrupt();
}

void Link::State::end_connections(std::string_view why) {
  for (auto* const all : {&slots, &large_slots}) {
    for (auto& slot : *all) {
      if (slot.connection) slot.connection->close_as_corrupt(why);
    }
  }
  if (write_test) write_test->close_as_corrupt(why);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
