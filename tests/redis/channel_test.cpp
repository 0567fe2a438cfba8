// The invalidation channel against real servers: what others change is reported, and it is known when a report may be
// missing.
#include "l2/tracking/channel.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "fault_proxy.hpp"
#include "l2/client/link.hpp"
#include "redis_server.hpp"
#include "scale.hpp"
#include "wire_client.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::FaultProxy;
using testing_support::kSanitized;
using testing_support::RedisOptions;
using testing_support::RedisServer;
using testing_support::scaled;
using testing_support::WireClient;
using SteadyClock = std::chrono::steady_clock;
using Bad = testing_support::Fault;

constexpr auto kPeriod = 300ms;
/// For what has to happen, and has no deadline.
constexpr auto kLong = 20s;

/// Notes what is reported.
class Notes : public ChannelListener {
 public:
  void on_keys(std::span<const std::string_view> keys) override {
    note([&] {
      largest = std::max(largest, keys.size());
      for (const std::string_view key : keys) ++reported[std::string(key)];
    });
  }
  void on_flush() override {
    note([&] { ++flushes; });
  }
  void on_up(TimePoint /*known_good*/) override {
    note([&] {
      EXPECT_FALSE(is_up);
      is_up = true;
      ++times_up;
    });
  }
  void on_down(std::string_view why) override {
    note([&] {
      EXPECT_TRUE(is_up) << "once for each on_up";
      EXPECT_FALSE(why.empty());
      is_up = false;
      ++times_down;
      last_down = SteadyClock::now();
    });
  }

  /// False when it does not come about in time.
  bool await(const std::function<bool()>& is, Duration patience = kLong) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, patience, is);
  }
  bool await_up(int times = 1) {
    return await([&] { return is_up && times_up >= times; });
  }
  bool await_down(int times = 1, Duration patience = kLong) {
    return await([&] { return times_down >= times; }, patience);
  }
  bool await_key(const std::string& key, int times = 1) {
    return await([&] { return reported[key] >= times; });
  }
  int times(const std::string& key) {
    const std::lock_guard lock(mutex);
    return reported[key];
  }

  std::mutex mutex;
  std::condition_variable changed;
  // Under mutex.
  std::map<std::string, int> reported;
  std::size_t largest = 0;
  int flushes = 0, times_up = 0, times_down = 0;
  bool is_up = false;
  SteadyClock::time_point last_down;

 private:
  template <class Change>
  void note(const Change& change) {
    const std::lock_guard lock(mutex);
    change();
    changed.notify_all();
  }
};

struct ChannelTest : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
  }
  LinkOptions to(std::uint16_t port, Duration patience = 2s) {
    LinkOptions options;
    options.address.host = "127.0.0.1";
    options.address.port = port;
    options.operation_timeout = options.connect_timeout = patience;
    options.log.sink = [this](LogLevel, std::string_view message) {
      const std::lock_guard lock(log_mutex);
      log.emplace_back(message);
    };
    return options;
  }
  std::vector<std::string> logged() {
    const std::lock_guard lock(log_mutex);
    return log;
  }
  static ChannelOptions listening(Duration period = kPeriod) { return {.prefix = "dsta:", .ping_period = period}; }
  /// The numbers of the connections that have subscribed, or have not.
  static std::vector<std::string> clients(const RedisServer& server, const std::string& type) {
    std::vector<std::string> found;
    const std::string list = server.command({"CLIENT", "LIST", "TYPE", type});
    for (std::size_t at = 0; (at = list.find("id=", at)) != std::string::npos;) {
      if (at == 0 || list[at - 1] == '\n') found.push_back(list.substr(at + 3, list.find(' ', at) - at - 3));
      ++at;
    }
    return found;
  }
  static void kill_channels(const RedisServer& server) { server.command({"CLIENT", "KILL", "TYPE", "pubsub"}); }
  static void kill_data(const RedisServer& server) {
    server.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  }

  std::mutex log_mutex;
  std::vector<std::string> log;  // under log_mutex
};

TEST_F(ChannelTest, WhatAnotherClientDoesToAKeyIsReported) {
  const RedisServer server;
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(), link, notes);
  ASSERT_TRUE(notes.await_up());
  EXPECT_TRUE(channel.up());
  server.command({"SET", "dsta:a", "1"});
  EXPECT_TRUE(notes.await_key("dsta:a", 1));
  server.command({"DEL", "dsta:a"});
  EXPECT_TRUE(notes.await_key("dsta:a", 2));
  server.command({"SET", "dsta:a", "1"});
  server.command({"UNLINK", "dsta:a"});
  EXPECT_TRUE(notes.await_key("dsta:a", 4));
  server.command({"SET", "dsta:expires", "1", "PX", "20"});
  EXPECT_TRUE(notes.await_key("dsta:expires", 2)) << "written, and gone without anybody's doing";
  server.command({"SELECT", "0"});
  server.command({"RENAME", "dsta:none", "dsta:x"});  // an error changes nothing
  EXPECT_EQ(notes.times("dsta:x"), 0);
}

TEST_F(ChannelTest, EvictionIsReported) {
  RedisOptions small;
  small.config = {"maxmemory 3mb", "maxmemory-policy volatile-ttl"};  // so that there is one candidate
  const RedisServer server(small);
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(), link, notes);
  ASSERT_TRUE(notes.await_up());
  server.command({"SET", "dsta:first", "1", "EX", "1000"});
  ASSERT_TRUE(notes.await_key("dsta:first"));
  WireClient other = WireClient::tcp(server.port());
  for (int i = 0; i < 2'000 && notes.times("dsta:first") < 2; ++i) {
    other.call({"SET", "elsewhere:" + std::to_string(i), std::string(4'000, 'v')});
  }
  EXPECT_TRUE(notes.await_key("dsta:first", 2));
}

TEST_F(ChannelTest, WhatTheLinkItselfWritesIsNotEchoed) {
  const RedisServer server;
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(), link, notes);
  ASSERT_TRUE(notes.await_up());
  ASSERT_TRUE(link.run(Request{"SET", "dsta:own", "1"}, Purpose::write));
  ASSERT_TRUE(link.run(Request{"DEL", "dsta:own"}, Purpose::erase));
  server.command({"SET", "dsta:after", "1"});
  ASSERT_TRUE(notes.await_key("dsta:after"));
  const std::lock_guard lock(notes.mutex);
  EXPECT_EQ(notes.reported.size(), 1u) << "nor is what the channel writes itself";
}

TEST_F(ChannelTest, OwnWritesAreReportedWhereTheFirstWriterDecides) {
  RedisOptions old;
  old.users = {"default on nopass ~* &* +@all -pexpiretime"};  // as a server that does not know it
  const RedisServer server(old);
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(), link, notes);
  ASSERT_TRUE(notes.await_up());
  ASSERT_TRUE(link.run(Request{"SET", "dsta:own", "1"}, Purpose::write));
  EXPECT_TRUE(notes.await_key("dsta:own"));
  EXPECT_TRUE(logged().empty());
}

TEST_F(ChannelTest, AWriteOfAnotherRightBehindAnOwnOneIsReported) {
  RedisServer server;
  Link link(to(server.port(), 10s));
  Notes notes;
  const Channel channel(listening(10s), link, notes);
  ASSERT_TRUE(notes.await_up());
  WireClient other = WireClient::tcp(server.port());
  other.call({"PING"});
  std::string last = "own";
  while (last == "own") {  // the other way round it is not reported, and need not be
    server.pause();        // so that it finds both in one round
    std::jthread own([&] { EXPECT_TRUE(link.run(Request{"SET", "dsta:both", "own"}, Purpose::write)); });
    std::this_thread::sleep_for(50ms);
    other.send(testing_support::encode_request({"SET", "dsta:both", "another's"}));
    std::this_thread::sleep_for(50ms);
    server.resume();
    other.read_reply();
    own.join();
    last = server.command({"GET", "dsta:both"});
  }
  EXPECT_TRUE(notes.await_key("dsta:both"));
}

TEST_F(ChannelTest, AFlushOfTheServerIsReportedWhoeverDidIt) {
  const RedisServer server;
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(), link, notes);
  ASSERT_TRUE(notes.await_up());
  server.command({"FLUSHALL"});
  EXPECT_TRUE(notes.await([&] { return notes.flushes == 1; }));
  server.command({"FLUSHDB"});
  EXPECT_TRUE(notes.await([&] { return notes.flushes == 2; }));
  ASSERT_TRUE(link.run(Request{"FLUSHALL"}, Purpose::erase));
  EXPECT_TRUE(notes.await([&] { return notes.flushes == 3; }));
}

TEST_F(ChannelTest, KeysOfOtherNamespacesAreNotReported) {
  const RedisServer server;
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(), link, notes);
  ASSERT_TRUE(notes.await_up());
  server.command({"SET", "dstb:a", "1"});
  server.command({"SET", "dsta", "1"});
  server.command({"SET", "xdsta:a", "1"});
  server.command({"PUBLISH", "__redis__:invalidate", "dsta:forged"});
  server.command({"SET", "dsta:last", "1"});
  ASSERT_TRUE(notes.await_key("dsta:last"));
  const std::lock_guard lock(notes.mutex);
  EXPECT_EQ(notes.reported.size(), 1u);
  EXPECT_EQ(notes.times_down, 0);
}

TEST_F(ChannelTest, ManyKeysOfOneChangeComeTogether) {
  const RedisServer server;
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(), link, notes);
  ASSERT_TRUE(notes.await_up());
  std::vector<std::string> words = {"MSET"};
  for (int i = 0; i < 5'000; ++i) {
    words.push_back("dsta:" + std::to_string(i));
    words.emplace_back("v");
  }
  server.command(words);
  EXPECT_TRUE(notes.await([&] { return notes.reported.size() == 5'000; }));
  EXPECT_EQ(notes.largest, 5'000u);
}

TEST_F(ChannelTest, AStormOfAHundredThousandChangesIsReportedWhole) {
  const RedisServer server;
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(2s), link, notes);
  ASSERT_TRUE(notes.await_up());
  WireClient other = WireClient::tcp(server.port(), 30s);
  constexpr int kBatch = 1'000, kBatches = 100;
  for (int batch = 0; batch < kBatches; ++batch) {
    std::string bytes;
    for (int i = 0; i < kBatch; ++i) {
      bytes += testing_support::encode_request({"SET", "dsta:storm:" + std::to_string(batch * kBatch + i), "v"});
    }
    other.send(bytes);
    for (int i = 0; i < kBatch; ++i) other.read_reply();
  }
  EXPECT_TRUE(notes.await([&] { return notes.reported.size() == std::size_t{kBatch} * kBatches; }));
  EXPECT_EQ(notes.times_down, 0);
}

// --- what is lost

TEST_F(ChannelTest, ALostChannelIsKnownAtOnceAndMadeAgain) {
  const RedisServer server;
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(5s), link, notes);
  for (int round = 1; round <= 2; ++round) {
    ASSERT_TRUE(notes.await_up(round));
    kill_channels(server);
    EXPECT_TRUE(notes.await_down(round, 2s)) << "long before a ping is due";
  }
  ASSERT_TRUE(notes.await_up(3));
  server.command({"SET", "dsta:a", "1"});
  EXPECT_TRUE(notes.await_key("dsta:a"));
  EXPECT_EQ(clients(server, "pubsub").size(), 1u);
}

TEST_F(ChannelTest, AnIdleDataConnectionThatEndsIsMadeAgainAtOnce) {
  const RedisServer server;
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(5s), link, notes);
  for (int round = 1; round <= 2; ++round) {
    ASSERT_TRUE(notes.await_up(round));
    kill_data(server);
    EXPECT_TRUE(notes.await_down(round, 2s)) << "long before a ping is due";
  }
  ASSERT_TRUE(notes.await_up(3));
  server.command({"SET", "dsta:a", "1"});
  EXPECT_TRUE(notes.await_key("dsta:a"));
}

TEST_F(ChannelTest, CoherenceEndsBeforeTheNextConnectionIsUsed) {
  const RedisServer server;
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(), link, notes);
  for (int round = 1; round <= 3; ++round) {
    ASSERT_TRUE(notes.await_up(round));
    link.close_as_corrupt("for the test");
    EXPECT_FALSE(channel.up());
    EXPECT_TRUE(notes.await_down(round, 2s));
  }
  EXPECT_TRUE(notes.await_up(4));
}

TEST_F(ChannelTest, ARegistrationThatTheServerForgotIsNoticed) {
  const RedisServer server;
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(), link, notes);
  ASSERT_TRUE(notes.await_up());
  ASSERT_TRUE(link.run(Request{"CLIENT", "TRACKING", "OFF"}, Purpose::write));
  EXPECT_TRUE(notes.await_down(1, 2 * kPeriod + 1s));
  EXPECT_TRUE(notes.await_up(2));
}

TEST_F(ChannelTest, ARestartOfTheServerIsSurvived) {
  RedisServer server;
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(), link, notes);
  ASSERT_TRUE(notes.await_up());
  server.kill();
  ASSERT_TRUE(notes.await_down(1, 2s));
  EXPECT_FALSE(channel.up());
  server.start();
  ASSERT_TRUE(notes.await_up(2));
  server.command({"SET", "dsta:a", "1"});
  EXPECT_TRUE(notes.await_key("dsta:a"));
}

TEST_F(ChannelTest, AServerThatComesLaterIsFound) {
  RedisServer server;
  server.kill();
  Link link(to(server.port()));
  Notes notes;
  const Channel channel(listening(), link, notes);
  std::this_thread::sleep_for(300ms);
  EXPECT_FALSE(channel.up());
  EXPECT_EQ(channel.last_known_good(), TimePoint{});
  server.start();
  EXPECT_TRUE(notes.await_up());
}

/// The channel and the data connection by proxies of their own, so that either can go bad alone.
struct TwoWays : ChannelTest {
  void SetUp() override {
    ChannelTest::SetUp();
    if (IsSkipped()) return;
    server.emplace();
    data_way.emplace(server->port());
    channel_way.emplace(server->port());
    LinkOptions options = to(data_way->port(), 500ms);
    // The link's first connection is made on this thread, all others behind its back.
    options.connect = [this](const Address& address, TimePoint deadline, std::string& error) {
      Address way = address;
      if (std::this_thread::get_id() != link_thread) way.port = channel_way->port();
      return connect_plain(way, deadline, error);
    };
    link_thread = std::this_thread::get_id();
    link.emplace(options);
    ASSERT_TRUE(link->run(Request{"PING"}, Purpose::read));
    channel.emplace(listening(), *link, notes);
    ASSERT_TRUE(notes.await_up());
  }
  /// From now on, and within two periods (and what a busy machine takes).
  void expect_down_soon() {
    const auto begun = SteadyClock::now();
    ASSERT_TRUE(notes.await_down());
    const std::lock_guard lock(notes.mutex);
    EXPECT_LE(notes.last_down - begun, 2 * kPeriod + 250ms);
  }

  std::optional<RedisServer> server;
  std::optional<FaultProxy> data_way, channel_way;
  std::thread::id link_thread;
  std::optional<Link> link;
  Notes notes;
  std::optional<Channel> channel;
};

TEST_F(TwoWays, AChannelThatSwallowsAllIsDownWithinTwoPeriods) {
  channel_way->set(Bad::blackhole());
  expect_down_soon();
  channel_way->clear();
  EXPECT_TRUE(notes.await_up(2));
}

TEST_F(TwoWays, AHalfOpenChannelIsDownWithinTwoPeriods) {
  channel_way->set(Bad::half_open());
  expect_down_soon();
  channel_way->clear();
  EXPECT_TRUE(notes.await_up(2));
}

TEST_F(TwoWays, ASilentDataConnectionIsDownWithinTwoPeriods) {
  data_way->set(Bad::blackhole());
  expect_down_soon();
}

TEST_F(TwoWays, AHalfOpenDataConnectionIsDownWithinTwoPeriods) {
  data_way->set(Bad::half_open());
  expect_down_soon();
}

TEST_F(TwoWays, ASlowDataConnectionDoesNotHoldUpReports) {
  data_way->set(Bad::hold());
  const auto begun = SteadyClock::now();
  for (int i = 0; i < 20; ++i) {
    const std::string key = "dsta:" + std::to_string(i);
    server->command({"SET", key, "1"});
    ASSERT_TRUE(notes.await_key(key));
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_LT(SteadyClock::now() - begun, 2s);
}

TEST_F(TwoWays, TheLastGoodMomentAdvancesOnlyWhileBothLive) {
  const TimePoint first = channel->last_known_good();
  EXPECT_GT(first, SteadyClock::now() - kLong);
  std::this_thread::sleep_for(3 * kPeriod);
  EXPECT_GT(channel->last_known_good(), first);
  data_way->set(Bad::blackhole());
  const TimePoint end = SteadyClock::now();
  expect_down_soon();
  EXPECT_LE(channel->last_known_good(), end);
}

// --- what is refused

TEST_F(ChannelTest, AnAclThatForbidsItIsLoggedOnceWithoutTheSecret) {
  const std::vector<std::string> forbidding = {
      "app on >canary-4711 ~* &* +@all -client|tracking", "app on >canary-4711 ~* resetchannels +@all",
      "app on >canary-4711 ~* &* +@all -client|id", "app on >canary-4711 ~other:* &* +@all"};
  for (const std::string& user : forbidding) {
    SCOPED_TRACE(user);
    RedisOptions strict;
    strict.users = {user};
    const RedisServer server(strict);
    LinkOptions options = to(server.port());
    options.user = "app";
    options.password = "canary-4711";
    log.clear();
    Link link(options);
    Notes notes;
    {
      const Channel channel(listening(100ms), link, notes);
      std::this_thread::sleep_for(1600ms);
      EXPECT_FALSE(channel.up());
      EXPECT_EQ(notes.times_up, 0);
      EXPECT_EQ(notes.times_down, 0);
    }
    ASSERT_EQ(logged().size(), 1u);
    EXPECT_NE(logged()[0].find("NOPERM"), std::string::npos) << logged()[0];
    EXPECT_NE(logged()[0].find("__redis__:invalidate"), std::string::npos) << logged()[0];
    EXPECT_EQ(logged()[0].find("canary"), std::string::npos) << logged()[0];
  }
}

TEST_F(ChannelTest, WhatWasRefusedIsTriedAgainUntilItIsAllowed) {
  RedisOptions strict;
  strict.users = {"app on >sesame ~* &* +@all -client|tracking"};
  const RedisServer server(strict);
  LinkOptions options = to(server.port());
  options.user = "app";
  options.password = "sesame";
  Link link(options);
  Notes notes;
  const Channel channel(listening(), link, notes);
  std::this_thread::sleep_for(300ms);
  EXPECT_FALSE(channel.up());
  server.command({"ACL", "SETUSER", "app", "+client|tracking"});
  EXPECT_TRUE(notes.await_up());
}

TEST_F(ChannelTest, IsTriedAtMostTwiceASecondWhileRefused) {
  const RedisServer server;
  FaultProxy proxy(server.port());
  Link link(to(proxy.port()));
  ASSERT_TRUE(link.run(Request{"PING"}, Purpose::read));
  proxy.set(Bad::reset_on_accept());
  Notes notes;
  const Channel channel(listening(), link, notes);
  std::this_thread::sleep_for(4s);
  const auto accepted = proxy.accepted();
  ASSERT_GE(accepted.size(), 3u) << "it does try";
  for (std::size_t i = 3; i < accepted.size(); ++i) EXPECT_GE(accepted[i] - accepted[i - 2], 990ms) << i;
  EXPECT_LE(logged().size(), 2u) << "a reset is seen in one of two ways";
  proxy.clear();
  EXPECT_TRUE(notes.await_up());
}

// --- the end

TEST_F(ChannelTest, ItEndsAtOnceInEveryState) {
  RedisServer server;
  FaultProxy proxy(server.port());
  const auto ends_at_once = [&](const char* state, const std::function<void()>& before,
                                const std::function<void(Notes&)>& then) {
    SCOPED_TRACE(state);
    proxy.clear();
    Link link(to(proxy.port(), 1s));
    if (server.running()) {
      ASSERT_TRUE(link.run(Request{"PING"}, Purpose::read));
    }
    before();
    Notes notes;
    std::optional<Channel> channel(std::in_place, listening(), link, notes);
    then(notes);
    const auto begun = SteadyClock::now();
    channel.reset();
    EXPECT_LT(SteadyClock::now() - begun, kSanitized ? 500ms : 100ms);
  };
  const auto soon = [](Notes&) { std::this_thread::sleep_for(50ms); };
  const auto nothing = [] {};
  ends_at_once("just begun", nothing, [](Notes&) {});
  ends_at_once("coherent", nothing, [](Notes& notes) { ASSERT_TRUE(notes.await_up()); });
  ends_at_once(
      "opening", [&] { proxy.set(Bad::never_answer()); }, soon);
  ends_at_once(
      "connecting", [&] { proxy.set(Bad::hang_connect()); }, soon);
  ends_at_once(
      "registering", [&] { proxy.set(Bad::hold().on("CLIENT")); }, soon);
  ends_at_once(
      "waiting for the probe", [&] { proxy.set(Bad::swallow_reply().on("push").after(1)); }, soon);
  ends_at_once(
      "refused", [&] { proxy.set(Bad::refuse()); }, soon);
  ends_at_once("checking", nothing, [&](Notes& notes) {
    ASSERT_TRUE(notes.await_up());
    proxy.set(Bad::blackhole());
    std::this_thread::sleep_for(kPeriod + 100ms);
  });
  ends_at_once("in a storm", nothing, [&](Notes& notes) {
    ASSERT_TRUE(notes.await_up());
    WireClient other = WireClient::tcp(server.port());
    std::string bytes;
    for (int i = 0; i < 20'000; ++i)
      bytes += testing_support::encode_request({"SET", "dsta:" + std::to_string(i), "v"});
    other.send(bytes);
  });
  server.kill();
  ends_at_once("without a server", nothing, soon);
}

TEST_F(ChannelTest, TheChildOfAForkHasNoChannelAndMayDestroyIt) {
  const RedisServer server;
  Link link(to(server.port()));
  Notes notes;
  auto channel = std::make_unique<Channel>(listening(), link, notes);
  ASSERT_TRUE(notes.await_up());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool none = !channel->here() && !channel->up();
    channel.reset();
    if (kSanitized) ::_exit(none ? 0 : 1);  // ThreadSanitizer allows no threads in such a child
    Notes own_notes;
    Channel own(listening(), link, own_notes);
    const bool made = own_notes.await_up();
    ::_exit(none && made ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_TRUE(channel->here());
  server.command({"SET", "dsta:a", "1"});
  EXPECT_TRUE(notes.await_key("dsta:a")) << "the parent's goes on";
  EXPECT_EQ(notes.times_down, 0);
}

}  // namespace
}  // namespace dsta::cache::detail
