#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "fault_proxy.hpp"
#include "redis_server.hpp"

namespace dsta::cache::testing_support {

/// Every fault that the network and the server have, most requests spared.
inline std::vector<WeightedFault> every_fault() {
  using namespace std::chrono_literals;
  // A request that draws a fault of connections is spared, so those can be likely.
  return {{Fault::pass(), 600},
          {Fault::delay(15ms), 10},
          {Fault::drip(5, 3ms), 8},
          {Fault::hold(), 2},
          {Fault::hold(Fault::Way::replies), 2},
          {Fault::blackhole(), 2},
          {Fault::half_open(), 1},
          {Fault::reset_before(), 3},
          {Fault::reset_after(), 3},
          {Fault::truncate(3), 2},
          {Fault::garbage(8), 2},
          {Fault::garbage(4, 6), 2},
          {Fault::wrong_length(1), 2},
          {Fault::wrong_length(-1), 2},
          {Fault::duplicate_reply(), 2},
          {Fault::swallow_reply(), 2},
          {Fault::error_reply("LOADING Redis is loading the dataset in memory"), 3},
          {Fault::error_reply("OOM command not allowed when used memory > 'maxmemory'."), 3},
          {Fault::error_reply("BUSY Redis is busy running a script.", true), 1},
          {Fault::reset_on_accept(), 60},
          {Fault::never_answer(), 30},
          {Fault::hang_connect(), 30}};
}

/// For that long, what is on the way and connections get lost, by a seed; then the way is whole again. Nothing is taken
/// out of the middle of a connection that goes on.
inline void lose_on_the_way(FaultProxy& proxy, std::uint64_t seed, std::chrono::nanoseconds how_long) {
  std::mt19937_64 random(seed);
  const auto rest = [&](unsigned from, unsigned to) {
    std::this_thread::sleep_for(std::chrono::milliseconds(from + random() % (to - from)));
  };
  const auto end = std::chrono::steady_clock::now() + how_long;
  while (std::chrono::steady_clock::now() < end) {
    rest(100, 500);
    switch (random() % 4) {
      case 0:
        proxy.set(Fault::blackhole());
        break;
      case 1:
        proxy.set(Fault::half_open());
        break;
      case 2:
        proxy.reset_connections();
        break;
      default:
        proxy.set(Fault::hold(Fault::Way::replies));
    }
    rest(20, 300);
    proxy.clear();
  }
}

/// A thread that makes a server and the way to it bad, by a seed, until it ends; then both are whole again. The thread
/// that makes it must not use the server meanwhile.
class Havoc {
 public:
  /// `restarts`: the server is killed and comes back empty, too.
  Havoc(RedisServer& server, FaultProxy& proxy, std::uint64_t seed, bool restarts)
      : server_(server), proxy_(proxy), random_(seed), restarts_(restarts), thread_([this] { run(); }) {}
  ~Havoc() {
    stop_ = true;
    thread_.join();
    proxy_.clear();
  }

 private:
  void rest(unsigned from, unsigned to) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(from + random_() % (to - from));
    while (!stop_ && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  void run() {
    while (!stop_) {
      proxy_.schedule(random_(), every_fault());
      rest(200, 600);
      switch (random_() % 6) {
        case 0:
          server_.pause();
          rest(50, 400);
          server_.resume();
          break;
        case 1:
          if (!restarts_) break;
          server_.kill();
          rest(50, 300);
          server_.start();
          break;
        case 2:
          proxy_.reset_connections();
          break;
        case 3:
          proxy_.set(Fault::blackhole());
          rest(50, 400);
          break;
        default:
          break;
      }
      // Good times: what was held arrives now, late.
      proxy_.clear();
      rest(100, 400);
    }
  }

  RedisServer& server_;
  FaultProxy& proxy_;
  std::mt19937_64 random_;
  const bool restarts_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace dsta::cache::testing_support
