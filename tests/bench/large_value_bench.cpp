/// What one large value costs everybody else: 8 threads read small values from L2, alone and beside a thread that reads
/// 40 MB in a loop. Rounds of both are interleaved; the figures are medians of rounds.
///
///     large_value_bench [rounds [seconds of a round [most connections]]]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <dsta/cache/manager.hpp>

#include "redis_server.hpp"

namespace {

using namespace dsta::cache;
using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kThreads = 8;
constexpr int kKeys = 64;
constexpr std::size_t kLarge = std::size_t{40} << 20;
const EntryOptions kThere{.ttl = 1h, .level = Level::l2};

enum class Beside { nothing, reads, writes };
constexpr const char* kNames[] = {"alone", "40 MB read", "40 MB set"};

struct Round {
  double p50 = 0, p99 = 0, p999 = 0, most = 0;  ///< of small reads, in microseconds
  double reads = 0;                             ///< a second
  std::size_t missed = 0, large = 0, large_missed = 0;
};

double median(std::vector<double> all) {
  std::sort(all.begin(), all.end());
  return all.empty() ? 0 : all[all.size() / 2];
}

Round run(CacheManager& cache, Beside beside, const std::string& value, std::chrono::duration<double> time) {
  std::atomic<bool> over = false;
  std::vector<std::vector<double>> took(kThreads);
  std::atomic<std::size_t> missed = 0;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      took[t].reserve(1 << 20);
      for (int i = static_cast<int>(t); !over; ++i) {
        const auto begun = SteadyClock::now();
        if (cache.get<int>("small" + std::to_string(i % kKeys), kThere) != i % kKeys) ++missed;
        took[t].push_back(std::chrono::duration<double, std::micro>(SteadyClock::now() - begun).count());
      }
    });
  }
  Round round;
  const auto end = SteadyClock::now() + time;
  while (SteadyClock::now() < end) {
    if (beside == Beside::nothing) {
      std::this_thread::sleep_for(10ms);
      continue;
    }
    ++round.large;
    const bool worked = beside == Beside::reads ? cache.get("large", kThere).value_or("").size() == kLarge
                                                : bool(cache.set("written", value, kThere));
    if (!worked) ++round.large_missed;
  }
  over = true;
  for (auto& thread : threads) thread.join();
  std::vector<double> all;
  for (const auto& each : took) all.insert(all.end(), each.begin(), each.end());
  std::sort(all.begin(), all.end());
  const auto at = [&](double part) {
    return all[static_cast<std::size_t>(part * static_cast<double>(all.size() - 1))];
  };
  round.p50 = at(0.5), round.p99 = at(0.99), round.p999 = at(0.999), round.most = all.back();
  round.reads = static_cast<double>(all.size()) / time.count();
  round.missed = missed;
  return round;
}

void report(const char* name, const std::vector<Round>& rounds) {
  const auto of = [&](double Round::*field) {
    std::vector<double> all;
    for (const Round& round : rounds) all.push_back(round.*field);
    return median(std::move(all));
  };
  std::size_t missed = 0, large = 0, large_missed = 0;
  for (const Round& round : rounds) {
    missed += round.missed, large += round.large, large_missed += round.large_missed;
  }
  std::printf("%-11s %9.0f reads/s  p50 %6.0f us  p99 %6.0f us  p99.9 %7.0f us  most %8.0f us  missed %zu", name,
              of(&Round::reads), of(&Round::p50), of(&Round::p99), of(&Round::p999), of(&Round::most), missed);
  std::printf("  large %zu, missed %zu\n", large, large_missed);
}

}  // namespace

int main(int count, char** arguments) {
  const auto argument = [&](int at, double standard) { return count > at ? std::atof(arguments[at]) : standard; };
  const int rounds = static_cast<int>(argument(1, 7));
  const std::chrono::duration<double> time(argument(2, 2));
  dsta::cache::testing_support::RedisServer server;
  ManagerOptions options{.url = server.url(), .l1 = {.enabled = false}, .pool = {.socket_timeout = 5s}};
  options.pool.max_connections = static_cast<std::size_t>(argument(3, 50));
  CacheManager cache(options);
  const std::string value(kLarge, 'v');
  for (int i = 0; i < kKeys; ++i) {
    if (!cache.set("small" + std::to_string(i), i, kThere)) return 1;
  }
  if (!cache.set("large", value, kThere)) return 1;
  std::vector<Round> of[3];
  for (int i = 0; i < rounds; ++i) {
    for (const Beside beside : {Beside::nothing, Beside::reads, Beside::writes}) {
      of[static_cast<int>(beside)].push_back(run(cache, beside, value, time));
    }
  }
  for (int i = 0; i < 3; ++i) report(kNames[i], of[i]);
  return 0;
}
