// What happens to requests and replies on connections that are there.
#include "fault_proxy.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "kind_of_failure.hpp"
#include "proxied_server.hpp"

namespace dsta::cache::testing_support {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;
using Kind = NetError::Kind;
using Way = Fault::Way;

using FaultProxyTest = ProxiedServer;

TEST_F(FaultProxyTest, PassesEverythingThrough) {
  WireClient client = connect();
  EXPECT_EQ(client.call({"SET", "k", "v"}), "OK");
  EXPECT_EQ(stored("k"), "v");
  const std::string large(3'000'000, 'x');
  EXPECT_EQ(client.call({"SET", "large", large}), "OK");
  EXPECT_EQ(client.call({"GET", "large"}), large);
  client.send("PING\r\n");
  EXPECT_EQ(client.read_reply(), "+PONG\r\n");
  const FaultCounters counters = proxy->counters();
  EXPECT_EQ(counters.requests, 4U);
  EXPECT_EQ(counters.replies, 4U);
  EXPECT_EQ(counters.faults, 0U);
  EXPECT_EQ(counters.bytes_from_clients, counters.bytes_to_server);
  EXPECT_EQ(counters.bytes_from_server, counters.bytes_to_clients);
  EXPECT_GT(counters.bytes_to_clients, large.size());
}

TEST_F(FaultProxyTest, PassesPipelinesInOrder) {
  WireClient client = connect();
  std::string requests;
  for (int i = 0; i < 500; ++i) requests += encode_request({"ECHO", std::to_string(i)});
  client.send(requests);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(reply_text(client.read_reply()), std::to_string(i));
}

TEST_F(FaultProxyTest, PassesRespThreeAndPushes) {
  WireClient client = connect();
  client.call({"HELLO", "3"});
  EXPECT_EQ(client.call({"SUBSCRIBE", "news"}), "subscribe\nnews\n1");
  EXPECT_EQ(client.call({"PING"}), "PONG");
  proxy->set(Fault::duplicate_reply().on("push"));
  server->command({"PUBLISH", "news", "hello"});
  EXPECT_EQ(reply_text(client.read_reply()), "message\nnews\nhello");
  EXPECT_EQ(reply_text(client.read_reply()), "message\nnews\nhello");
  EXPECT_EQ(client.call({"PING"}), "PONG");
}

TEST_F(FaultProxyTest, DelaysEachWay) {
  WireClient client = connect();
  for (const Way way : {Way::requests, Way::replies}) {
    proxy->set(Fault::delay(60ms, way));
    const auto begin = SteadyClock::now();
    EXPECT_EQ(client.call({"PING"}), "PONG");
    EXPECT_GE(SteadyClock::now() - begin, 60ms);
  }
}

TEST_F(FaultProxyTest, DripsAReplyAndARequest) {
  WireClient client = connect();
  for (const Way way : {Way::requests, Way::replies}) {
    proxy->set(Fault::drip(2, 15ms, way));
    const auto begin = SteadyClock::now();
    EXPECT_EQ(client.call({"ECHO", "0123456789"}), "0123456789");  // 17 bytes and more
    EXPECT_GE(SteadyClock::now() - begin, 8 * 15ms);
  }
}

TEST_F(FaultProxyTest, HoldsRepliesUntilCleared) {
  WireClient client = connect(60ms);
  proxy->set(Fault::hold(Way::replies));
  EXPECT_EQ(kind_of_failure([&] { client.call({"SET", "k", "v"}); }), Kind::timeout);
  EXPECT_EQ(stored("k"), "v");
  proxy->clear();
  client.set_patience(10s);
  EXPECT_EQ(client.read_reply(), "+OK\r\n");
}

TEST_F(FaultProxyTest, DeliversAHeldRequestAfterItsClientHasGone) {
  {
    WireClient client = connect(60ms);
    proxy->set(Fault::hold(Way::requests));
    EXPECT_EQ(kind_of_failure([&] { client.call({"SET", "k", "late"}); }), Kind::timeout);
  }
  EXPECT_EQ(stored("k"), "(nil)");
  proxy->clear();
  for (int i = 0; i < 1000 && stored("k") == "(nil)"; ++i) std::this_thread::sleep_for(5ms);
  EXPECT_EQ(stored("k"), "late");
  EXPECT_EQ(proxy->connections(), 0U);
}

TEST_F(FaultProxyTest, SwallowsRequestsAndKeepsTheConnection) {
  WireClient client = connect(60ms);
  proxy->set(Fault::blackhole());
  EXPECT_EQ(kind_of_failure([&] { client.call({"SET", "k", "v"}); }), Kind::timeout);
  EXPECT_EQ(stored("k"), "(nil)");
  EXPECT_EQ(proxy->connections(), 1U);
  proxy->clear();
  client.set_patience(10s);
  EXPECT_EQ(client.call({"PING"}), "PONG");
}

TEST_F(FaultProxyTest, ResetsBeforeARequestIsExecuted) {
  WireClient client = connect();
  proxy->set(Fault::reset_before().on("SET"));
  EXPECT_EQ(client.call({"GET", "k"}), "(nil)");
  EXPECT_EQ(kind_of_failure([&] { client.call({"SET", "k", "v"}); }), Kind::reset);
  EXPECT_EQ(stored("k"), "(nil)");
}

TEST_F(FaultProxyTest, ResetsAfterARequestIsExecuted) {
  WireClient client = connect();
  proxy->set(Fault::reset_after().on("SET"));
  EXPECT_EQ(client.call({"GET", "k"}), "(nil)");
  EXPECT_EQ(kind_of_failure([&] { client.call({"SET", "k", "v"}); }), Kind::reset);
  EXPECT_EQ(stored("k"), "v");
}

TEST_F(FaultProxyTest, CutsAReplyOff) {
  server->command({"SET", "k", "hello"});
  WireClient client = connect();
  proxy->set(Fault::truncate(6));
  EXPECT_EQ(kind_of_failure([&] { client.call({"GET", "k"}); }), Kind::closed);
  EXPECT_EQ(client.unread(), "$5\r\nhe");
}

TEST_F(FaultProxyTest, PutsGarbageIntoAReply) {
  server->command({"SET", "k", "hello"});
  proxy->set(Fault::garbage(3));
  WireClient client = connect(60ms);
  EXPECT_THROW(client.call({"GET", "k"}), NetError);
  proxy->set(Fault::garbage(5, 4));
  const std::string reply = connect().call({"GET", "k"});
  EXPECT_EQ(reply.size(), 5U);
  EXPECT_NE(reply, "hello");
}

TEST_F(FaultProxyTest, LiesAboutTheLengthOfAReply) {
  server->command({"SET", "k", "hello"});
  proxy->set(Fault::wrong_length());
  WireClient client = connect(60ms);
  EXPECT_EQ(kind_of_failure([&] { client.call({"GET", "k"}); }), Kind::timeout);
  EXPECT_EQ(client.unread(), "$6\r\nhello\r\n");
  WireClient other = connect(60ms);
  EXPECT_EQ(kind_of_failure([&] { other.call({"MGET", "k", "k"}); }), Kind::timeout);
  EXPECT_EQ(other.unread().substr(0, 4), "*3\r\n");
}

TEST_F(FaultProxyTest, RepeatsAReply) {
  WireClient client = connect();
  proxy->set(Fault::duplicate_reply().times(1));
  EXPECT_EQ(client.call({"ECHO", "a"}), "a");
  EXPECT_EQ(client.call({"ECHO", "b"}), "a");
  EXPECT_EQ(reply_text(client.read_reply()), "b");
}

TEST_F(FaultProxyTest, SwallowsAReply) {
  WireClient client = connect();
  proxy->set(Fault::swallow_reply().times(1));
  client.send(encode_request({"SET", "k", "v"}));
  EXPECT_EQ(client.call({"GET", "k"}), "v");
}

TEST_F(FaultProxyTest, AnswersWithAnErrorInsteadOfExecuting) {
  WireClient client = connect();
  proxy->set(Fault::error_reply("LOADING Redis is loading the dataset in memory").on("SET"));
  client.send(encode_request({"ECHO", "1"}) + encode_request({"SET", "k", "v"}) + encode_request({"ECHO", "2"}));
  EXPECT_EQ(reply_text(client.read_reply()), "1");
  EXPECT_EQ(reply_text(client.read_reply()), "-LOADING Redis is loading the dataset in memory");
  EXPECT_EQ(reply_text(client.read_reply()), "2");
  EXPECT_EQ(stored("k"), "(nil)");
  proxy->set(Fault::error_reply("ERR lost", true));
  EXPECT_EQ(client.call({"SET", "k", "v"}), "-ERR lost");
  EXPECT_EQ(stored("k"), "v");
}

TEST_F(FaultProxyTest, HappensToTheRequestsItWasNarrowedTo) {
  WireClient client = connect();
  proxy->set(Fault::error_reply("ERR x").on("GET").after(2).times(3));
  std::string seen;
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(client.call({"PING"}), "PONG");
    seen += client.call({"GET", "k"}) == "-ERR x" ? 'x' : '.';
  }
  EXPECT_EQ(seen, "..xxx...");
  EXPECT_EQ(proxy->counters().faults, 3U);
}

std::string walk(FaultProxy& proxy, std::uint64_t seed, std::size_t length) {
  proxy.schedule(seed, {{Fault::pass(), 70}, {Fault::error_reply("ERR x"), 20}, {Fault::delay(1ms), 10}});
  WireClient client = WireClient::tcp(proxy.port());
  std::string seen;
  for (std::size_t i = 0; i < length; ++i) seen += client.call({"PING"}) == "-ERR x" ? 'x' : '.';
  return seen;
}

TEST_F(FaultProxyTest, DrawsTheSameFaultsFromTheSameSeed) {
  FaultProxy twin(server->port());
  const std::string one = walk(*proxy, 42, 300), same = walk(twin, 42, 300), other = walk(*proxy, 43, 300);
  EXPECT_EQ(one, same);
  EXPECT_NE(one, other);
  const auto errors = std::count(one.begin(), one.end(), 'x');
  EXPECT_GT(errors, 20);
  EXPECT_LT(errors, 120);
}

TEST_F(FaultProxyTest, TakesOrdersWhileClientsAreBusy) {
  std::vector<std::thread> clients;
  std::atomic<bool> done = false;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      while (!done) {
        try {
          WireClient client = connect(500ms);
          for (int k = 0; k < 20; ++k) client.call({"INCR", "n"});
        } catch (const NetError&) {
          // As the fault of the moment has it.
        }
      }
    });
  }
  const std::vector<Fault> faults = {Fault::reset_before(), Fault::delay(1ms),         Fault::reset_after(),
                                     Fault::truncate(1),    Fault::reset_on_accept(),  Fault::duplicate_reply(),
                                     Fault::refuse(),       Fault::drip(1, 1ms),       Fault::garbage(2),
                                     Fault::hold(),         Fault::error_reply("ERR"), Fault::half_open()};
  for (int round = 0; round < 10; ++round) {
    for (const Fault& fault : faults) {
      proxy->set(fault);
      std::this_thread::sleep_for(1ms);
      proxy->schedule(static_cast<std::uint64_t>(round), {{fault, 1}, {Fault::pass(), 5}});
      EXPECT_LE(proxy->connections(), 100U);
      std::this_thread::sleep_for(1ms);
    }
  }
  done = true;
  for (auto& client : clients) client.join();
  proxy->reset_connections();
  proxy->clear();
  EXPECT_EQ(connect().call({"PING"}), "PONG");
}

}  // namespace
}  // namespace dsta::cache::testing_support
