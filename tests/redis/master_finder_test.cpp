// Sentinels that know nothing, say nothing, or say what cannot be: a clear reason within the deadline.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include "l2/topology/master_finder.hpp"
#include "redis_server.hpp"
#include "scripted_sentinel.hpp"
#include "sentinel_group.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::RedisServer;
using testing_support::ReservedPort;
using testing_support::ScriptedSentinel;
using testing_support::SentinelServer;
using SteadyTime = std::chrono::steady_clock;

struct Finding {
  std::optional<Address> address;
  std::string error;
  Duration took;
};

MasterFinder::Options sentinels_at(std::initializer_list<std::uint16_t> ports) {
  MasterFinder::Options options;
  options.master = "mymaster";
  for (const std::uint16_t port : ports) options.sentinels.push_back({.host = "127.0.0.1", .port = port});
  return options;
}

Finding find_by(MasterFinder& finder, Duration limit = 2s) {
  Finding found;
  const auto begun = SteadyTime::now();
  if (auto master = finder.find(finder.first(), begun + limit, found.error)) found.address = master->address;
  found.took = SteadyTime::now() - begun;
  return found;
}

TEST(MasterFinder, AsksTheNextSentinelAndRemembersIt) {
  const ReservedPort nobody;
  ScriptedSentinel live(ScriptedSentinel::address("10.0.0.7", "6380"));
  MasterFinder finder(sentinels_at({nobody.port(), live.port()}));
  const Finding found = find_by(finder);
  ASSERT_TRUE(found.address) << found.error;
  EXPECT_EQ(found.address->host, "10.0.0.7");
  EXPECT_EQ(found.address->port, 6380);
  EXPECT_EQ(finder.first(), 1u);
}

TEST(MasterFinder, GivesASilentSentinelAShareOfTheTime) {
  ScriptedSentinel silent(""), live(ScriptedSentinel::address("::1", "6380"));
  silent.fall_silent();
  MasterFinder finder(sentinels_at({silent.port(), silent.port(), live.port()}));
  const Finding found = find_by(finder, 600ms);
  ASSERT_TRUE(found.address) << found.error;
  EXPECT_EQ(found.address->host, "::1");
}

TEST(MasterFinder, EndsByTheDeadlineWhenAllAreSilent) {
  ScriptedSentinel silent("");
  silent.fall_silent();
  MasterFinder finder(sentinels_at({silent.port(), silent.port(), silent.port()}));
  const Finding found = find_by(finder, 300ms);
  EXPECT_FALSE(found.address);
  EXPECT_NE(found.error.find("no answer in time"), std::string::npos) << found.error;
  EXPECT_LT(found.took, 1500ms);
}

TEST(MasterFinder, SaysWhatEachSentinelSaid) {
  const std::string place = "127.0.0.1:";
  for (const auto& [answer, words] : std::initializer_list<std::pair<std::string, std::string>>{
           {"*-1\r\n", "it knows no master of that name"},
           {"-NOAUTH Authentication required.\r\n", "the server asks for a password (NOAUTH)"},
           {"-NOPERM this user has no permissions to run the 'sentinel' command\r\n", "(NOPERM)"},
           {"-ERR canary\r\n", "the server answered with an error"},
           {"+OK\r\n", "its answer is not the address of a master"},
           {"*1\r\n$1\r\nx\r\n", "its answer is not the address of a master"},
           {ScriptedSentinel::address("10.0.0.7", "0"), "its answer is not the address of a master"},
           {ScriptedSentinel::address("10.0.0.7", "70000"), "its answer is not the address of a master"},
           {ScriptedSentinel::address("", "6379"), "its answer is not the address of a master"},
           {ScriptedSentinel::address("canary host", "6379"), "its answer is not the address of a master"},
           {"*2\r\n*0\r\n:1\r\n", "its answer is not the address of a master"},
           {"!\r\n", ": "}}) {
    ScriptedSentinel sentinel(answer);
    MasterFinder finder(sentinels_at({sentinel.port()}));
    const Finding found = find_by(finder);
    EXPECT_FALSE(found.address) << answer;
    EXPECT_NE(found.error.find(place + std::to_string(sentinel.port()) + ": "), std::string::npos) << found.error;
    EXPECT_NE(found.error.find(words), std::string::npos) << found.error;
    EXPECT_EQ(found.error.find("canary"), std::string::npos) << found.error;
  }
}

TEST(MasterFinder, MapsWhatIsAnnounced) {
  ScriptedSentinel sentinel(ScriptedSentinel::address("10.0.0.7", "6379"));
  auto options = sentinels_at({sentinel.port()});
  const std::pair<std::string, std::string> entries[] = {{"10.0.0.7:6379", "[::1]:7007"}};
  options.addresses = AddressMap(entries);
  MasterFinder finder(std::move(options));
  const Finding found = find_by(finder);
  ASSERT_TRUE(found.address) << found.error;
  EXPECT_EQ(found.address->host, "::1");
  EXPECT_EQ(found.address->port, 7007);
}

TEST(MasterFinder, AsksAnotherFirstWhenWhatItFoundWasWrong) {
  ScriptedSentinel late(ScriptedSentinel::address("10.0.0.1", "1")), knows(ScriptedSentinel::address("10.0.0.2", "2"));
  MasterFinder finder(sentinels_at({late.port(), knows.port()}));
  EXPECT_EQ(find_by(finder).address->port, 1);
  finder.found_wrong(0);
  EXPECT_EQ(find_by(finder).address->port, 2);
  EXPECT_EQ(find_by(finder).address->port, 2);
  finder.found_wrong(0);
  EXPECT_EQ(finder.first(), 1u) << "it was not asked first";
  // A search that has been there goes on, whatever others ask first by now.
  finder.ask_first(0);
  std::string error;
  const auto found = finder.find(1, SteadyTime::now() + 2s, error);
  ASSERT_TRUE(found) << error;
  EXPECT_EQ(found->address.port, 2);
  EXPECT_EQ(found->source, 1u);
}

TEST(MasterFinder, CountsWhatMostSentinelsSay) {
  ScriptedSentinel a(ScriptedSentinel::address(1)), b(ScriptedSentinel::address(2)), c(ScriptedSentinel::address(2));
  const ReservedPort nobody;
  const auto named = [&](std::initializer_list<std::uint16_t> ports) {
    const auto most = MasterFinder(sentinels_at(ports)).named_by_most(SteadyTime::now() + 2s);
    return most ? most->port : 0;
  };
  EXPECT_EQ(named({a.port(), b.port(), c.port()}), 2);
  EXPECT_EQ(named({a.port(), b.port()}), 0) << "neither";
  EXPECT_EQ(named({a.port(), nobody.port(), nobody.port()}), 1) << "of those that answer";
  EXPECT_EQ(named({nobody.port()}), 0);
}

TEST(MasterFinder, LogsInAtARealSentinelWithItsOwnPassword) {
  if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  SentinelServer sentinel({"sentinel monitor mymaster 127.0.0.1 7001 1", "requirepass canary-right",
                           "user reader on >canary-reader +sentinel|get-master-addr-by-name"});
  const auto find_as = [&](const std::string& user, const std::string& password, const std::string& master) {
    auto options = sentinels_at({sentinel.port()});
    options.link.user = user;
    options.link.password = password;
    options.master = master;
    MasterFinder finder(std::move(options));
    return find_by(finder);
  };
  EXPECT_EQ(find_as("", "canary-right", "mymaster").address->port, 7001);
  EXPECT_EQ(find_as("reader", "canary-reader", "mymaster").address->port, 7001);
  EXPECT_NE(find_as("", "canary-right", "other").error.find("it knows no master of that name"), std::string::npos);
  EXPECT_NE(find_as("", "", "mymaster").error.find("NOAUTH"), std::string::npos);
  const Finding wrong = find_as("reader", "canary-wrong", "mymaster");
  EXPECT_NE(wrong.error.find("WRONGPASS"), std::string::npos) << wrong.error;
  EXPECT_EQ(wrong.error.find("canary"), std::string::npos) << wrong.error;
}

}  // namespace
}  // namespace dsta::cache::detail
