// Redirects that no real cluster gives when asked to: in circles, at the wrong time, by nodes that know little.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "l2/topology/cluster.hpp"
#include "scripted_server.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::ScriptedServer;

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

/// A node that says who it is and who serves the slots; `answer` is for all else, empty for +OK.
class FakeNode {
 public:
  using AnswerTo = std::function<std::string(std::string_view request)>;

  FakeNode() : server_([this](std::string_view request) { return ScriptedServer::Reply{keep(reply_to(request))}; }) {}

  std::uint16_t port() const { return server_.port(); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  std::string received() const { return server_.received(); }
  int times(std::string_view word) const {
    int count = 0;
    const std::string all = received();
    for (std::size_t at = all.find(word); at != all.npos; at = all.find(word, at + 1)) ++count;
    return count;
  }
  void answer(AnswerTo to) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(to);
  }
  bool knows_shards = true;

 private:
  std::string_view keep(std::string reply) {
    const std::lock_guard lock(mutex_);
    return kept_.emplace_back(std::move(reply));
  }
  std::string reply_to(std::string_view request) {
    const auto asks = [&](std::string_view words) { return request.find(words) != request.npos; };
    if (asks("PING")) return "+PONG\r\n";
    if (asks("ROLE")) return "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";
    if (asks("replication")) return bulk("role:master\r\nmaster_replid:" + std::to_string(port()) + "\r\n");
    if (asks("ECHO")) return std::string(request.substr(request.rfind('$')));
    if (asks("SHARDS")) return knows_shards ? shards() : "-ERR unknown subcommand 'SHARDS'\r\n";
    if (asks("SLOTS")) {
      return "*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n" + bulk("127.0.0.1") + ":" + std::to_string(port()) + "\r\n" +
             bulk("id");
    }
    if (asks("CLUSTER")) return bulk("cluster_state:ok\r\n");
    AnswerTo to;
    {
      const std::lock_guard lock(mutex_);
      to = answer_;
    }
    const std::string text = to ? to(request) : std::string();
    return text.empty() ? "+OK\r\n" : text;
  }
  std::string shards() const {
    return "*1\r\n*4\r\n" + bulk("slots") + "*2\r\n:0\r\n:16383\r\n" + bulk("nodes") + "*1\r\n*8\r\n" + bulk("port") +
           ":" + std::to_string(port()) + "\r\n" + bulk("endpoint") + bulk("127.0.0.1") + bulk("role") +
           bulk("master") + bulk("health") + bulk("online");
  }

  std::mutex mutex_;
  AnswerTo answer_;
  std::deque<std::string> kept_;
  ScriptedServer server_;
};

struct FakeCluster : ::testing::Test {
  FakeCluster() {
    Cluster::Options options;
    options.link.operation_timeout = options.link.connect_timeout = 2s;
    options.link.log.level = LogLevel::off;
    options.seeds = {{.host = "127.0.0.1", .port = one.port()}};
    options.probe_key = [](Slot) { return std::string("probe"); };
    options.wants_refresh = [this] { ++wanted; };
    options.on_change = [this](const SlotChange& change, const SlotMap&) {
      ++changes;
      missed += change.may_have_missed ? 1 : 0;
    };
    options.on_stranger = [this] { ++strangers; };
    cluster = std::make_unique<Cluster>(std::move(options));
  }
  ~FakeCluster() override { cluster->close(); }

  FakeNode one, other;
  std::atomic<int> wanted{0}, changes{0}, missed{0}, strangers{0};
  std::unique_ptr<Cluster> cluster;
};

// foo is of slot 12182.

TEST_F(FakeCluster, ACircleOfMovedEndsWithAReason) {
  one.answer([&](auto) { return "-MOVED 12182 " + other.address() + "\r\n"; });
  other.answer([&](auto) { return "-MOVED 12182 " + one.address() + "\r\n"; });
  const Answer answer = cluster->run(Request{"GET", "foo"}, Purpose::read, Lane::shared);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer.replies[0].error_code(), "MOVED");
  EXPECT_NE(answer.replies[0].why.find("in a circle"), std::string_view::npos) << answer.replies[0].why;
  EXPECT_EQ(one.times("GET") + other.times("GET"), 1 + Cluster::kMostRedirects);
  EXPECT_GT(wanted, 0);
}

TEST_F(FakeCluster, AWriteThatWasRefusedIsMadeWhereItBelongs) {
  one.answer([&](auto) { return "-MOVED 12182 " + other.address() + "\r\n"; });
  Request request;
  request.add({"SET", "foo", "1"}).add({"SET", "{foo}2", "1"});
  const Answer answer = cluster->run(request, Purpose::write, Lane::shared);
  // A node that nobody named as a master before may have missed what its predecessor knew.
  EXPECT_EQ(missed, 1);
  EXPECT_EQ(changes, 1);
  EXPECT_FALSE(answer);
  EXPECT_TRUE(answer.maybe_executed);
  EXPECT_EQ(other.times("SET"), 2);
  const Answer again = cluster->run(request, Purpose::write, Lane::shared);
  ASSERT_TRUE(again) << again.why;
  EXPECT_TRUE(again.replies[0].is_ok() && again.replies[1].is_ok());
  EXPECT_EQ(one.times("SET"), 2);
  EXPECT_EQ(other.times("SET"), 4);
}

TEST_F(FakeCluster, WhatIsOnItsWayIsAskedForWithLeave) {
  one.answer([&](std::string_view request) {
    const bool moved = request.find("foo") != request.npos;
    return moved ? "-ASK 12182 " + other.address() + "\r\n" : std::string();
  });
  Request request;
  request.add({"SET", "bar", "1"}).add({"SET", "foo", "1"}).add({"MULTI"}).add({"SET", "{foo}2", "0"}).add({"EXEC"});
  const Answer answer = cluster->run(request, Purpose::write, Lane::shared);
  ASSERT_TRUE(answer) << answer.why;
  ASSERT_EQ(answer.replies.size(), 5u);
  for (const Reply& reply : answer.replies) EXPECT_TRUE(reply.is_ok());
  EXPECT_EQ(other.times("ASKING"), 2);
  EXPECT_LT(other.received().find("ASKING"), other.received().find("SET"));
  EXPECT_EQ(other.received().find("bar"), std::string::npos);
  EXPECT_EQ(changes, 0);
  EXPECT_EQ(strangers, 2) << "who serves no slots has no channel";
}

TEST_F(FakeCluster, KeysThatAreHalfMovedAreAskedForOneByOne) {
  one.answer([&](std::string_view request) -> std::string {
    if (request.find("{foo}2") != request.npos && request.find("{foo}3") != request.npos) {
      return "-TRYAGAIN Multiple keys request during rehashing of slot\r\n";
    }
    return "*1\r\n$1\r\n7\r\n";
  });
  const Answer answer = cluster->run(Request{"MGET", "{foo}2", "{foo}3"}, Purpose::read, Lane::shared);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer.replies[0].elements.size(), 2u);
  EXPECT_EQ(answer.replies[0].elements[1].text, "7");
  EXPECT_EQ(one.times("MGET"), 3);
}

TEST_F(FakeCluster, AnAnnouncementFollowsItsChangeToWhereThatGoes) {
  one.answer([&](std::string_view request) {
    return request.find("SET") != request.npos ? "-MOVED 12182 " + other.address() + "\r\n" : ":0\r\n";
  });
  other.answer([&](std::string_view request) {
    return std::string(request.find("PUBLISH") != request.npos ? ":1\r\n" : "+OK\r\n");
  });
  Request request;
  request.add({"SET", "foo", "1"}).add({"PUBLISH", "c", "foo"});
  const Answer answer = cluster->run(request, Purpose::erase, Lane::shared);
  EXPECT_EQ(other.times("PUBLISH"), 1);
  EXPECT_LT(other.received().find("SET"), other.received().find("PUBLISH"));
}

TEST_F(FakeCluster, ANodeThatKnowsNoShardsIsAskedForSlots) {
  one.knows_shards = false;
  const Answer answer = cluster->run(Request{"SET", "foo", "1"}, Purpose::write, Lane::shared);
  ASSERT_TRUE(answer) << answer.why;
  EXPECT_EQ(one.times("$5\r\nSLOTS"), 1);
}

TEST_F(FakeCluster, NobodyIsAskedForWhatAReplicaHas) {
  one.answer([&](auto) { return "-MOVED 12182 " + other.address() + "\r\n"; });
  static_cast<void>(cluster->run(Request{"GET", "foo"}, Purpose::read, Lane::shared));
  EXPECT_EQ(one.times("READONLY") + other.times("READONLY"), 0);
}

TEST_F(FakeCluster, WithoutANodeRequestsFailAtOnceAndSayWhy) {
  Cluster::Options options = cluster->options();
  options.seeds = {{.host = "127.0.0.1", .port = 1}};
  Cluster nowhere(options);
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    const Answer answer = nowhere.run(Request{"GET", "foo"}, Purpose::read, Lane::shared);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.fault, Fault::no_connection);
    EXPECT_NE(answer.why.find("no node of the cluster says who serves its slots"), std::string_view::npos)
        << answer.why;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
  nowhere.close();
}

}  // namespace
}  // namespace dsta::cache::detail
