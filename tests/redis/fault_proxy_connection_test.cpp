// What happens to connections, and those who want one.
#include "fault_proxy.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "kind_of_failure.hpp"
#include "proxied_server.hpp"

namespace dsta::cache::testing_support {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;
using Kind = NetError::Kind;

using FaultProxyConnections = ProxiedServer;

template <class Condition>
bool soon(Condition condition) {
  for (int i = 0; i < 1000 && !condition(); ++i) std::this_thread::sleep_for(5ms);
  return condition();
}

TEST_F(FaultProxyConnections, CountsThemAndSaysWhenTheyCame) {
  const auto begin = SteadyClock::now();
  {
    WireClient one = connect(), other = connect();
    one.call({"PING"});
    other.call({"PING"});
    EXPECT_EQ(proxy->connections(), 2U);
  }
  EXPECT_TRUE(soon([&] { return proxy->connections() == 0; }));
  const auto accepted = proxy->accepted();
  ASSERT_EQ(accepted.size(), 2U);
  EXPECT_LE(begin, accepted[0]);
  EXPECT_LE(accepted[0], accepted[1]);
}

TEST_F(FaultProxyConnections, RefusesNewOnesAndLeavesTheOthers) {
  WireClient client = connect();
  client.call({"PING"});
  proxy->set(Fault::refuse());
  EXPECT_EQ(kind_of_failure([&] { connect(); }), Kind::refused);
  EXPECT_EQ(client.call({"PING"}), "PONG");
  proxy->clear();
  EXPECT_EQ(connect().call({"PING"}), "PONG");
}

TEST_F(FaultProxyConnections, HangsConnectsWhileTheBacklogIsFull) {
  WireClient client = connect();
  client.call({"PING"});
  proxy->set(Fault::hang_connect());
  EXPECT_EQ(kind_of_failure([&] { connect(150ms); }), Kind::timeout);
  EXPECT_EQ(kind_of_failure([&] { connect(150ms); }), Kind::timeout);
  EXPECT_EQ(client.call({"PING"}), "PONG");
  proxy->clear();
  EXPECT_EQ(connect().call({"PING"}), "PONG");
  EXPECT_EQ(proxy->accepted().size(), 2U);
  EXPECT_TRUE(soon([&] { return proxy->connections() == 1; }));
}

TEST_F(FaultProxyConnections, ResetsAndCountsWhoeverConnects) {
  proxy->set(Fault::reset_on_accept());
  for (int i = 0; i < 5; ++i) EXPECT_THROW(connect().call({"PING"}), NetError);
  EXPECT_EQ(proxy->accepted().size(), 5U);
  EXPECT_EQ(proxy->counters().bytes_to_server, 0U);
}

TEST_F(FaultProxyConnections, AcceptsAndNeverAnswers) {
  proxy->set(Fault::never_answer().times(1));
  WireClient client = connect(60ms);
  EXPECT_EQ(kind_of_failure([&] { client.call({"SET", "k", "v"}); }), Kind::timeout);
  EXPECT_EQ(stored("k"), "(nil)");
  EXPECT_EQ(connect().call({"PING"}), "PONG");
}

TEST_F(FaultProxyConnections, LosesTheServersEndSilently) {
  WireClient client = connect(60ms);
  client.call({"PING"});
  const auto tcp_clients = [&] { return server->command({"CLIENT", "LIST", "TYPE", "NORMAL"}).find("user=default"); };
  EXPECT_NE(tcp_clients(), std::string::npos);
  proxy->set(Fault::half_open());
  EXPECT_TRUE(soon([&] { return tcp_clients() == std::string::npos; }));
  EXPECT_EQ(kind_of_failure([&] { client.call({"SET", "k", "v"}); }), Kind::timeout);
  proxy->clear();
  EXPECT_EQ(kind_of_failure([&] { client.call({"SET", "k", "v"}); }), Kind::timeout);
  EXPECT_EQ(stored("k"), "(nil)");
  EXPECT_EQ(connect().call({"PING"}), "PONG");
}

TEST_F(FaultProxyConnections, EndsThemAllOnDemand) {
  WireClient one = connect();
  one.call({"PING"});
  proxy->reset_connections();
  EXPECT_EQ(kind_of_failure([&] { one.read_reply(); }), Kind::reset);
  WireClient other = connect();
  other.call({"PING"});
  proxy->finish_connections();
  EXPECT_EQ(kind_of_failure([&] { other.read_reply(); }), Kind::closed);
}

TEST_F(FaultProxyConnections, HandsOnTheEndOfTheServer) {
  RedisServer own;
  proxy->set_server(own.port());
  WireClient client = connect();
  client.call({"PING"});
  own.kill();
  EXPECT_THROW(client.call({"PING"}), NetError);
  EXPECT_EQ(kind_of_failure([&] { connect().call({"PING"}); }), Kind::reset);
  own.start();
  EXPECT_EQ(connect().call({"PING"}), "PONG");
}

TEST_F(FaultProxyConnections, HidesTheEndOfTheServerInABlackHole) {
  RedisServer own;
  proxy->set_server(own.port());
  WireClient client = connect(100ms);
  client.call({"PING"});
  proxy->set(Fault::blackhole());
  own.kill();
  EXPECT_EQ(kind_of_failure([&] { client.call({"PING"}); }), Kind::timeout);
  EXPECT_EQ(proxy->connections(), 1U);
}

TEST_F(FaultProxyConnections, DrawsTheirFateFromTheSeed) {
  const auto fates = [&](FaultProxy& by, std::uint64_t seed) {
    by.schedule(seed, {{Fault::pass(), 1}, {Fault::reset_on_accept(), 1}});
    std::string seen;
    for (int i = 0; i < 40; ++i) {
      try {
        seen += WireClient::tcp(by.port()).call({"PING"}) == "PONG" ? '.' : '?';
      } catch (const NetError&) {
        seen += 'x';
      }
    }
    return seen;
  };
  FaultProxy twin(server->port());
  const std::string one = fates(*proxy, 5), same = fates(twin, 5), later = fates(*proxy, 5);
  EXPECT_EQ(one, same);
  EXPECT_NE(one, later) << "other connections, by number, have other fates";
  EXPECT_NE(one.find('x'), std::string::npos);
  EXPECT_NE(one.find('.'), std::string::npos);
}

TEST_F(FaultProxyConnections, PassesWhatIsNoRespAsItComes) {
  WireClient client = connect(100ms);
  proxy->set(Fault::delay(10ms));
  // As a TLS handshake begins; the server takes it for an inline command once the line ends.
  client.send("\x16\x03\x01");
  EXPECT_TRUE(soon([&] { return proxy->counters().bytes_to_server == 3; }));
  client.send("\r\n");
  client.set_patience(10s);
  EXPECT_EQ(client.read_reply().substr(0, 20), "-ERR unknown command");
}

}  // namespace
}  // namespace dsta::cache::testing_support
