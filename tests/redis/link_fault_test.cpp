// What a bad network or a broken server may do to the link: it costs a fault by the deadline, never another's reply.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "fault_proxy.hpp"
#include "l2/client/link.hpp"
#include "redis_server.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using NetworkFault = testing_support::Fault;
using testing_support::FaultProxy;
using testing_support::RedisServer;
using testing_support::scaled;
using testing_support::WeightedFault;

LinkOptions through(const FaultProxy& proxy, Duration patience) {
  LinkOptions options;
  options.address.host = "127.0.0.1";
  options.address.port = proxy.port();
  options.operation_timeout = options.connect_timeout = patience;
  options.log.level = LogLevel::off;
  return options;
}

struct LinkFault : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    server.emplace();
    proxy.emplace(server->port());
  }
  static std::string text(const Answer& answer) { return answer ? answer.replies.at(0).text : "(fault)"; }
  /// Asks until the link is whole again.
  static std::string again(Link& link, const std::string& key) {
    for (;;) {
      const Answer answer = link.run(Request{"GET", key}, Purpose::read);
      if (answer) return answer.replies[0].text;
      std::this_thread::sleep_for(1ms);
    }
  }
  std::optional<RedisServer> server;
  std::optional<FaultProxy> proxy;
};

TEST_F(LinkFault, AnUnexecutedRequestIsRepeatedOnlyWhenItMayBe) {
  Link link(through(*proxy, 2s));
  ASSERT_TRUE(link.run(Request{"SET", "n", "0"}, Purpose::write));
  proxy->set(NetworkFault::reset_before().on("INCR").times(1));
  const Answer lost = link.run(Request{"INCR", "n"}, Purpose::write);
  EXPECT_EQ(lost.fault, detail::Fault::lost);
  EXPECT_TRUE(lost.maybe_executed) << "the link cannot know that it was not";
  EXPECT_EQ(again(link, "n"), "0");
  proxy->set(NetworkFault::reset_before().on("GET").times(1));
  EXPECT_EQ(text(link.run(Request{"GET", "n"}, Purpose::read)), "0") << "a read is asked again";
  proxy->set(NetworkFault::reset_before().on("MGET").times(1));
  const Answer many = link.run(Request{"MGET", "n", "m"}, Purpose::read);
  ASSERT_TRUE(many) << "one of many keys, too";
  EXPECT_EQ(many.replies[0].elements[0].text, "0");
}

TEST_F(LinkFault, AnExecutedRequestWithoutReplyIsNotRepeated) {
  Link link(through(*proxy, 2s));
  ASSERT_TRUE(link.run(Request{"SET", "n", "0"}, Purpose::write));
  proxy->set(NetworkFault::reset_after().on("INCR").times(1));
  const Answer unknown = link.run(Request{"INCR", "n"}, Purpose::write);
  EXPECT_FALSE(unknown);
  EXPECT_TRUE(unknown.maybe_executed);
  EXPECT_EQ(again(link, "n"), "1");
}

TEST_F(LinkFault, EachMissingReplyIsAFaultByTheDeadline) {
  for (const NetworkFault& fault :
       {NetworkFault::hold(), NetworkFault::blackhole(), NetworkFault::drip(1, 80ms), NetworkFault::truncate(3),
        NetworkFault::hold(NetworkFault::Way::replies), NetworkFault::half_open()}) {
    Link link(through(*proxy, 150ms));
    ASSERT_TRUE(link.run(Request{"SET", "k", std::string(1000, 'v')}, Purpose::write));
    proxy->set(fault);
    EXPECT_FALSE(link.run(Request{"GET", "k"}, Purpose::read)) << static_cast<int>(fault.kind);
    proxy->clear();
    EXPECT_EQ(again(link, "k"), std::string(1000, 'v')) << static_cast<int>(fault.kind);
  }
}

TEST_F(LinkFault, AConnectionThatCannotBeMadeIsAFaultByTheDeadline) {
  for (const NetworkFault& fault : {NetworkFault::refuse(), NetworkFault::hang_connect(),
                                    NetworkFault::reset_on_accept(), NetworkFault::never_answer()}) {
    proxy->set(fault);
    Link link(through(*proxy, 150ms));
    EXPECT_EQ(link.run(Request{"GET", "k"}, Purpose::read).fault, detail::Fault::no_connection)
        << static_cast<int>(fault.kind);
    proxy->clear();
    again(link, "k");
  }
}

TEST_F(LinkFault, BytesThatAreNoReplyEndTheConnectionAndNothingElse) {
  for (const NetworkFault& fault :
       {NetworkFault::garbage(4), NetworkFault::wrong_length(1), NetworkFault::wrong_length(-1)}) {
    Link link(through(*proxy, 300ms));
    ASSERT_TRUE(link.run(Request{"SET", "k", "value"}, Purpose::write));
    proxy->set(NetworkFault(fault).on("GET").times(2));
    EXPECT_FALSE(link.run(Request{"GET", "k"}, Purpose::read)) << static_cast<int>(fault.kind);
    EXPECT_EQ(again(link, "k"), "value");
  }
}

TEST_F(LinkFault, ALostOrRepeatedReplyNeverAnswersAnotherWrite) {
  Link link(through(*proxy, 300ms));
  ASSERT_TRUE(link.run(Request{"SET", "n", "0"}, Purpose::write));
  proxy->set(NetworkFault::duplicate_reply().on("INCR").times(1));
  const Answer twice = link.run(Request{"INCR", "n"}, Purpose::write);
  EXPECT_FALSE(twice) << "the ECHO behind it was not answered by its own word";
  proxy->set(NetworkFault::swallow_reply().on("INCR").times(1));
  while (true) {
    const Answer swallowed = link.run(Request{"INCR", "n"}, Purpose::write);
    if (swallowed.fault == detail::Fault::no_connection) continue;
    EXPECT_FALSE(swallowed);
    break;
  }
  EXPECT_EQ(again(link, "n"), "2");
}

TEST_F(LinkFault, WhileTheServerIsAwayItIsTriedAtMostTwiceASecond) {
  Link link(through(*proxy, 200ms));
  ASSERT_TRUE(link.run(Request{"SET", "k", "v"}, Purpose::write));
  proxy->set(NetworkFault::reset_on_accept());
  proxy->reset_connections();
  const auto begun = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begun < 3s) {
    link.run(Request{"GET", "k"}, Purpose::read);
    std::this_thread::sleep_for(100us);
  }
  const auto accepted = proxy->accepted();
  ASSERT_GE(accepted.size(), 3u) << "it does try";
  for (std::size_t i = 3; i < accepted.size(); ++i) {  // the first was before
    EXPECT_GE(accepted[i] - accepted[i - 2], 990ms) << i;
  }
  proxy->clear();
  EXPECT_EQ(again(link, "k"), "v");
}

/// Eight threads, each writer of its own keys and reader of all; values name their key and version.
struct Chaos {
  Link& link;
  std::atomic<std::uint64_t> wrong = 0, good = 0, faults = 0, acknowledged = 0, unknown = 0;
  static constexpr int kThreads = 8, kKeys = 4;

  static std::string key(int owner, int k) { return "key:" + std::to_string(owner) + ":" + std::to_string(k); }

  void work(int me, std::uint64_t seed, const std::atomic<bool>& stop) {
    std::mt19937_64 random(seed * 100 + static_cast<std::uint64_t>(me));
    std::vector<std::uint64_t> tried(kKeys), acked(kKeys);
    while (!stop) {
      const int k = static_cast<int>(random() % kKeys);
      const auto at = static_cast<std::size_t>(k);
      switch (random() % 4) {
        case 0: {
          const Answer answer =
              link.run(Request{"SET", key(me, k), key(me, k) + "=" + std::to_string(++tried[at])}, Purpose::write);
          if (answer && answer.replies[0].is_ok()) acked[at] = tried[at];
          note(answer);
          break;
        }
        case 1: {
          const Answer answer = link.run(Request{"INCR", "counter"}, Purpose::write);
          if (answer && answer.replies[0].is(Reply::Kind::integer)) {
            ++acknowledged;
          } else if (answer.maybe_executed) {
            ++unknown;
          }
          note(answer);
          break;
        }
        default: {
          const int owner = random() % 2 == 0 ? me : static_cast<int>(random() % kThreads);
          const Answer answer = link.run(Request{"GET", key(owner, k)}, Purpose::read);
          note(answer);
          if (!answer || answer.replies[0].is(Reply::Kind::nil)) break;
          const std::string& value = answer.replies[0].text;
          const std::string head = key(owner, k) + "=";
          if (!value.starts_with(head)) {
            link.close_as_corrupt("a value named another key");  // as the cache does
            break;
          }
          const std::uint64_t version = std::stoull(value.substr(head.size()));
          if (owner == me && (version < acked[at] || version > tried[at])) ++wrong;
        }
      }
    }
  }
  void note(const Answer& answer) { ++(answer ? good : faults); }
};

TEST_F(LinkFault, InChaosNoReadIsOlderThanAnAcknowledgedWrite) {
  for (std::uint64_t seed = 1; seed <= scaled(6); ++seed) {
    SCOPED_TRACE(seed);
    proxy->clear();
    server->command({"FLUSHALL"});
    Link link(through(*proxy, 200ms));
    Chaos chaos{link};
    proxy->schedule(seed, {{NetworkFault::pass(), 3000},
                           {NetworkFault::delay(5ms), 10},
                           {NetworkFault::reset_before(), 2},
                           {NetworkFault::reset_after(), 2},
                           {NetworkFault::truncate(2), 2},
                           {NetworkFault::garbage(3), 1},
                           {NetworkFault::duplicate_reply(), 1},
                           {NetworkFault::swallow_reply(), 1},
                           {NetworkFault::error_reply("LOADING Redis is loading the dataset in memory"), 2}});
    std::atomic<bool> stop = false;
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < Chaos::kThreads; ++t) threads.emplace_back([&, t] { chaos.work(t, seed, stop); });
      for (int i = 0; i < 4; ++i) {
        std::this_thread::sleep_for(250ms);
        if (i == 1) server->pause();
        if (i == 2) server->resume();
      }
      stop = true;
    }
    proxy->clear();
    EXPECT_EQ(chaos.wrong, 0u);
    EXPECT_GT(chaos.good, 0u);
    const std::string counter = server->command({"GET", "counter"});
    const std::uint64_t counted = counter == "(nil)" ? 0 : std::stoull(counter);
    EXPECT_LE(chaos.acknowledged, counted);
    EXPECT_LE(counted, chaos.acknowledged + chaos.unknown);
  }
}

}  // namespace
}  // namespace dsta::cache::detail
