/// One process of a fleet: usage: fleet_worker ROLE URL BOARD [ARGUMENT...], started by the tests through
/// tests/support/fleet.hpp.
///
///     load THREADS MILLISECONDS         all threads call one cold function, whose load takes so long
///     interleave STRICT                 loads that the test invalidates in the middle; STRICT is 0 with two levels
///     reread LEVEL                      reads the same values all the time, in every way; LEVEL is l1 or both
///     traffic INDEX PROCESSES DIRECT    reads every key and writes its own; compares with the server by the URL DIRECT
#include <dsta/cache/manager.hpp>

#include <bit>
#include <cstdio>
#include <exception>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include "checked_value.hpp"
#include "eventually.hpp"
#include "fleet_board.hpp"
#include "mapped_file.hpp"
#include "on_threads.hpp"

namespace dsta::cache::testing_support {
namespace {

using namespace std::chrono_literals;

CacheManager manager_of(const std::string& url) {
  ManagerOptions options;
  options.url = url;
  return CacheManager(std::move(options));
}

/// Waits for a step of the test, and ends with the test when it does not come.
void await(const FleetBoard::Count& count, std::uint64_t target) {
  if (!eventually([&] { return count >= target; }, 120s))
    throw std::runtime_error("the test has forgotten this worker");
}

void load(CacheManager& cache, FleetBoard& board, std::size_t threads, std::chrono::milliseconds takes) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "cold"}, [&](int i) {
    ++board.loads;
    std::this_thread::sleep_for(takes);
    return CheckedValue{"cold", static_cast<std::uint64_t>(i)}.text();
  });
  ++board.ready;
  await(board.go, 1);
  on_threads(threads, [&](std::size_t) {
    if (f(7) != CheckedValue{"cold", 7}.text()) ++board.failures;
    ++board.finished;
  });
}

void interleave(CacheManager& cache, FleetBoard& board, bool strict) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"t"}}, [&](std::uint64_t round) {
    const std::uint64_t read = board.source;
    if (board.reading < round) {
      board.reading = round;
      while (board.release < round) std::this_thread::yield();
    }
    return read;
  });
  ++board.ready;
  for (std::uint64_t round = 1;; ++round) {
    while (board.round < round && !board.stop) std::this_thread::yield();
    if (board.stop) return;
    f(round);  // the old or the new value: this call began before the invalidation
    // In each round the source's version becomes the round's number.
    if (f(round) < round) {
      ++board.late;
      const bool notified = !strict && eventually([&] { return f(round) >= round; }, 1s);
      if (!notified) ++board.stale;
    }
    if (f(round) > round) ++board.failures;
    board.done = round;
  }
}

/// Every way to read a value has a thread and a key of its own, so that it comes first after a break of the process.
void reread(CacheManager& cache, FleetBoard& board, Level level) {
  using Key = std::uint64_t;
  const EntryOptions options{.ttl = 60s, .prefix = "f", .tags = {"t"}, .level = level};
  const auto read_source = [&](Key) { return board.source.load(); };
  const auto f = cache.cached(options, read_source).bulk_loader([&](const std::vector<Key>& keys) {
    return std::vector<std::uint64_t>(keys.size(), board.source);
  });
  const std::function<std::uint64_t(Key)> ways[] = {
      [&](Key key) { return f(key); }, [&](Key key) { return *f.shared(key); },
      [&](Key key) { return f.many({key})[0].value(); },
      [&](Key key) {
        const auto seen = f.peek(key);
        return seen ? *seen : f(key);
      },
      [&](Key key) {
        const std::string name = "f:" + std::to_string(key);
        return cache.get<std::uint64_t>(name, {.level = level}).value_or(f(key));
      }};
  for (Key key = 0; key < std::size(ways); ++key) f(key);
  ++board.ready;
  const std::jthread watch([&] {
    while (!board.stop) {
      if (cache.set("watched", 1) && cache.lookup<int>("watched").source == Source::l1) ++board.done;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  on_threads(std::size(ways), [&](std::size_t thread) {
    while (!board.stop) {
      const std::uint64_t round = board.round;
      if (ways[thread](thread) < round) {
        ++board.stale;
        std::fprintf(stderr, "way %zu read an old value in round %llu\n", thread,
                     static_cast<unsigned long long>(round));
      }
      ++board.operations;
    }
  });
}

/// Reads and writes, and knows how old what it reads is.
class Traffic {
 public:
  Traffic(CacheManager& cache, FleetBoard& board, std::size_t me, std::size_t processes)
      : cache_(cache), board_(board), me_(me), processes_(processes), random_(me) {}

  void run() {
    while (!board_.stop) {
      const std::size_t any = random_() % FleetBoard::kKeys;
      if (random_() % 5 == 0) {
        write(any - any % processes_ + me_);
      } else {
        read(any);
      }
      ++board_.operations;
    }
  }
  /// How many keys are held otherwise than the server has them, after at most `patience`.
  std::uint64_t compare(CacheManager& direct, std::chrono::milliseconds patience) {
    std::uint64_t differing = 0;
    eventually(
        [&] {
          differing = 0;
          for (std::size_t k = 0; k < FleetBoard::kKeys; ++k) differing += agrees(direct, key(k)) ? 0 : 1;
          return differing == 0;
        },
        patience);
    return differing;
  }

 private:
  static std::string key(std::size_t k) { return "k" + std::to_string(k); }

  bool agrees(CacheManager& direct, const std::string& name) { return cache_.get(name) == direct.get(name); }
  void write(std::size_t k) {
    if (k >= FleetBoard::kKeys) return;
    const std::uint64_t number = ++board_.begun.at(k);
    const std::string text = CheckedValue{key(k), number}.text();
    board_.acknowledged_at.at(k).at(number % FleetBoard::kHistory) = 0;
    if (!cache_.set(key(k), text, {.ttl = 600s})) return;
    board_.acknowledged_at.at(k).at(number % FleetBoard::kHistory) = shared_now();
    board_.acknowledged.at(k) = number;
    // One's own write is visible at once; none is there when the connection went since.
    if (cache_.get(key(k)).value_or(text) != text) ++board_.failures;
  }
  void read(std::size_t k) {
    const std::uint64_t floor = board_.acknowledged.at(k);
    const std::int64_t begun = shared_now();
    const auto found = cache_.get(key(k));
    if (!found) return;
    ++board_.hits;
    const auto value = CheckedValue::parse(*found);
    if (!value || value->key != key(k) || value->number > board_.begun.at(k)) {
      ++board_.failures;
      std::fprintf(stderr, "%s = %s\n", key(k).c_str(), found->c_str());
      return;
    }
    note(k, value->number, floor, begun);
  }
  /// The value is as old as the oldest acknowledged write after it.
  void note(std::size_t k, std::uint64_t number, std::uint64_t floor, std::int64_t begun) {
    std::uint64_t age = 0;
    if (number < floor && floor - number < FleetBoard::kHistory) {
      for (std::uint64_t later = number + 1; later <= floor; ++later) {
        const std::int64_t at = board_.acknowledged_at.at(k).at(later % FleetBoard::kHistory);
        if (at > 0 && at < begun) age = std::max(age, static_cast<std::uint64_t>((begun - at) / 1000) + 1);
      }
    }
    ++board_.staleness.at(
        std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(age)), FleetBoard::kBuckets - 1));
    std::uint64_t worst = board_.worst_staleness;
    while (age > worst && !board_.worst_staleness.compare_exchange_weak(worst, age)) {
    }
  }

  CacheManager& cache_;
  FleetBoard& board_;
  const std::size_t me_, processes_;
  std::mt19937_64 random_;
};

void traffic(CacheManager& cache, FleetBoard& board, std::size_t me, std::size_t processes, const std::string& direct) {
  CacheManager plain = manager_of(direct);
  Traffic work(cache, board, me, processes);
  ++board.ready;
  await(board.go, 1);
  work.run();
  await(board.compare, 1);
  board.disagreements += work.compare(plain, 5s);
  ++board.finished;
}

int run(int count, char** arguments) {
  const std::string role = arguments[1];
  const MappedFile<FleetBoard> board(arguments[3]);
  const auto number = [&](int i) { return i < count ? std::stoul(arguments[i]) : 0; };
  CacheManager cache = manager_of(arguments[2]);
  if (role == "load") {
    load(cache, *board, number(4), std::chrono::milliseconds(number(5)));
  } else if (role == "interleave") {
    interleave(cache, *board, number(4) != 0);
  } else if (role == "reread" && count > 4) {
    reread(cache, *board, std::string_view(arguments[4]) == "l1" ? Level::l1 : Level::both);
  } else if (role == "traffic" && count > 6) {
    traffic(cache, *board, number(4), number(5), arguments[6]);
  } else {
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace dsta::cache::testing_support

int main(int count, char** arguments) {
  if (count < 4) return 2;
  try {
    return dsta::cache::testing_support::run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fleet_worker: %s\n", error.what());
    return 1;
  }
}
