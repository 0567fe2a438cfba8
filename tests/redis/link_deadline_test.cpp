// No operation ends later than its deadline, whatever the network does, who asks, how many ask, and what interrupts
// them.
#include <gtest/gtest.h>
#include <sys/time.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fault_proxy.hpp"
#include "l2/client/link.hpp"
#include "l2/net/tls.hpp"
#include "on_threads.hpp"
#include "redis_server.hpp"
#include "scale.hpp"
#include "scripted_server.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using NetworkFault = testing_support::Fault;
using testing_support::FaultProxy;
using testing_support::on_threads;
using testing_support::RedisServer;
using testing_support::ScriptedServer;
using SteadyClock = std::chrono::steady_clock;

constexpr Duration kPatience = 200ms;
/// 20 ms on a quiet machine; this leaves room for one that is not.
constexpr Duration kSlack = testing_support::kSanitized ? 2000ms : 250ms;

/// SIGALRM every 10 ms, with a handler that interrupts system calls.
class Alarms {
 public:
  Alarms() {
    struct sigaction interrupt {};
    interrupt.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &interrupt, &before_);
    const itimerval every{{0, 10'000}, {0, 10'000}};
    ::setitimer(ITIMER_REAL, &every, nullptr);
  }
  ~Alarms() {
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
  }
  Alarms(const Alarms&) = delete;
  Alarms& operator=(const Alarms&) = delete;

 private:
  struct sigaction before_ {};
};

/// How late this machine wakes those who do nothing but sleep: no request is held to more.
class Sleeper {
 public:
  ~Sleeper() { stop_ = true; }
  Duration latest() const { return Duration(latest_.load()); }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<Duration::rep> latest_{0};
  std::jthread thread_{[this] {
    while (!stop_) {
      const auto due = SteadyClock::now() + 2ms;
      std::this_thread::sleep_until(due);
      latest_ = std::max<Duration::rep>(latest_, Duration(SteadyClock::now() - due).count());
    }
  }};
};

struct LinkDeadline : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    server.emplace();
    server->command({"SET", "k", std::string(1000, 'v')});
    proxy.emplace(server->port());
  }
  static LinkOptions to(std::uint16_t port) {
    LinkOptions options;
    options.address.host = "127.0.0.1";
    options.address.port = port;
    options.operation_timeout = kPatience;
    options.log.level = LogLevel::off;
    return options;
  }

  static void raise(std::atomic<Duration::rep>& latest, Duration::rep to) {
    Duration::rep known = latest;
    while (known < to && !latest.compare_exchange_weak(known, to)) {
    }
  }
  static void report(const char* name, const std::atomic<Duration::rep>& latest) {
    std::printf("%-34s at most %+.1f ms after the deadline\n", name, static_cast<double>(latest.load()) / 1e6);
  }

  /// Readers and writers, alone and eight together, without and with signals: each fails by its deadline.
  static void expect_held(const char* name, const LinkOptions& options, bool works_first,
                          const std::function<void()>& begin, const std::function<void()>& end) {
    std::atomic<Duration::rep> latest{0};
    const Sleeper sleeper;
    const auto ask = [&](Link& link, Purpose purpose) {
      const auto begun = SteadyClock::now();
      const Answer answer = purpose == Purpose::read
                                ? link.run(Request{"GET", "k"}, purpose)
                                : link.run(Request{"SET", "other", std::string(100'000, 'w')}, purpose);
      const Duration over = SteadyClock::now() - begun - kPatience;
      EXPECT_FALSE(answer) << name;
      EXPECT_LT(over, kSlack + sleeper.latest()) << name;
      raise(latest, over.count());
    };
    for (const bool interrupted : {false, true}) {
      for (const Purpose purpose : {Purpose::read, Purpose::write}) {
        for (const std::size_t threads : {std::size_t{1}, std::size_t{8}}) {
          Link link(options);
          if (works_first) {
            EXPECT_TRUE(link.run(Request{"GET", "k"}, Purpose::read)) << name;
          }
          begin();
          {
            std::optional<Alarms> alarms;
            if (interrupted) alarms.emplace();
            on_threads(threads, [&](std::size_t) { ask(link, purpose); });
          }
          end();
        }
      }
    }
    report(name, latest);
  }
  void expect_held(const char* name, const NetworkFault& fault, bool works_first, bool new_connections = false) {
    expect_held(
        name, to(proxy->port()), works_first,
        [&] {
          proxy->set(fault);
          if (new_connections) proxy->reset_connections();
        },
        [&] { proxy->clear(); });
  }

  std::optional<RedisServer> server;
  std::optional<FaultProxy> proxy;
};

TEST_F(LinkDeadline, HoldsWhenAnswersTrickle) {
  expect_held("drip", NetworkFault::drip(1, 80ms), true);
  expect_held("drip, from connecting on", NetworkFault::drip(1, 80ms), false);
}

TEST_F(LinkDeadline, HoldsWhenAnAnswerStopsInTheMiddle) {
  ScriptedServer stalling([](std::string_view request) -> ScriptedServer::Reply {
    if (request.find("PING\r\n") != request.npos && request.find("$4\r\nPING\r\n") == 4) return {"+PONG\r\n"};
    return {"$1000\r\nthe first bytes"};
  });
  expect_held(
      "stall in the middle of a reply", to(stalling.port()), false, [] {}, [] {});
}

TEST_F(LinkDeadline, HoldsWhenNothingComes) {
  expect_held("hold", NetworkFault::hold(), true);
  expect_held("hold, of replies", NetworkFault::hold(NetworkFault::Way::replies), true);
  expect_held("black hole", NetworkFault::blackhole(), true);
  expect_held("black hole, from connecting on", NetworkFault::blackhole(), false);
  expect_held("half-open connection", NetworkFault::half_open(), true);
}

TEST_F(LinkDeadline, HoldsWhenConnectingHangs) {
  expect_held("hanging connect", NetworkFault::hang_connect(), false);
  expect_held("hanging connect, after a loss", NetworkFault::hang_connect(), true, true);
  expect_held("accepted and never answered", NetworkFault::never_answer(), true, true);
}

TEST_F(LinkDeadline, HoldsWhenTheKernelTakesNoMoreBytes) {
  expect_held(
      "a stopped server", to(server->port()), true, [&] { server->pause(); }, [&] { server->resume(); });
}

/// Long requests of others are in front on every connection. When the first of them is given up the connection ends,
/// and a reader may be asked for again in time; a writer not.
TEST_F(LinkDeadline, HoldsWhenAllConnectionsAreBusy) {
  LinkOptions options = to(server->port());
  options.connections = 2;
  std::atomic<Duration::rep> latest{0};
  const Sleeper sleeper;
  for (int round = 0; round < 4; ++round) {
    Link link(options);
    on_threads(12, [&](std::size_t i) {
      if (i >= 4) std::this_thread::sleep_for(20ms);
      const auto begun = SteadyClock::now();
      const std::string list = "list " + std::to_string(i);
      link.run(i < 4        ? Request{"BLPOP", list, "0"}
               : i % 2 == 0 ? Request{"GET", "k"}
                            : Request{"SET", "other", "w"},
               i >= 4 && i % 2 != 0 ? Purpose::write : Purpose::read);
      const Duration over = SteadyClock::now() - begun - kPatience;
      EXPECT_LT(over, kSlack + sleeper.latest()) << i;
      raise(latest, over.count());
    });
  }
  report("all connections busy", latest);
}

TEST_F(LinkDeadline, HoldsWhenATlsHandshakeDoesNotEnd) {
  std::shared_ptr<TlsClient> tls;
  try {
    tls = std::make_shared<TlsClient>(TlsOptions{});
  } catch (const ConfigError& e) {
    GTEST_SKIP() << e.what();
  }
  const auto encrypted = [&](std::uint16_t port) {
    LinkOptions options = to(port);
    options.connect = [tls](const Address& address, TimePoint deadline, std::string& error) {
      return tls->connect(address, deadline, error);
    };
    return options;
  };
  expect_held(
      "TLS, a plain port", encrypted(server->port()), false, [] {}, [] {});
  proxy->set(NetworkFault::never_answer());
  expect_held(
      "TLS, a peer that never answers", encrypted(proxy->port()), false, [] {}, [] {});
}

}  // namespace
}  // namespace dsta::cache::detail
