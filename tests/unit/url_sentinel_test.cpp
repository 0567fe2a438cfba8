// URLs of sentinels: which sentinels, which master, which options, and how a mistake is reported.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <dsta/cache/manager.hpp>

#include "engine/manager_options.hpp"
#include "error_of.hpp"
#include "l2/client/url.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using detail::Endpoint;
using detail::HostPort;
using testing_support::error_of;

ManagerOptions with_sentinels(const std::string& url, ManagerOptions options = {}) {
  options.url = url;
  detail::apply_url(options);
  return options;
}

TEST(SentinelUrl, NamesSentinelsMasterAndDatabase) {
  const Endpoint read = detail::parse_url("redis-sentinel://u:p%40@h1,h2:1,[::1],[fe80::1%25eth0]:2/my-master.1/3");
  EXPECT_EQ(read.transport, Endpoint::Transport::tcp);
  EXPECT_EQ(read.sentinels, (std::vector<HostPort>{{"h1", 26379}, {"h2", 1}, {"::1", 26379}, {"fe80::1%eth0", 2}}));
  EXPECT_EQ(read.master, "my-master.1");
  EXPECT_EQ(read.database, 3);
  EXPECT_EQ(read.user, "u");
  EXPECT_EQ(read.password, "p@");
  for (const char* tls : {"rediss-sentinel://h/m", "valkeys-sentinel://h/m"}) {
    EXPECT_EQ(detail::parse_url(tls).transport, Endpoint::Transport::tls);
  }
  EXPECT_EQ(detail::parse_url("valkey-sentinel:///m").sentinels, (std::vector<HostPort>{{"localhost", 26379}}));
  EXPECT_EQ(detail::parse_url("redis-sentinel://h/m?db=2").database, 2);
}

TEST(SentinelUrl, IsReadAsItWasWritten) {
  for (const char* url : {"redis-sentinel://u:p@h1,h2:1,[::1]/m/3", "rediss-sentinel://:p@h/m", "redis-sentinel://h/m",
                          "redis-sentinel://u:p@[fe80::1%25eth0]:5/m"}) {
    const Endpoint endpoint = detail::parse_url(url);
    EXPECT_EQ(detail::parse_url(detail::format_url(endpoint)), endpoint) << url;
  }
}

TEST(SentinelUrl, SetsTheOptionsOfSentinels) {
  const auto options = with_sentinels(
      "redis-sentinel://h/m?sentinel_username=su&sentinel_password=s%26p&failover_window=1min&"
      "address_map=10.0.0.1:6379=h:1,10.0.0.2=k");
  EXPECT_EQ(options.sentinel.username, "su");
  EXPECT_EQ(options.sentinel.password, "s&p");
  EXPECT_EQ(options.sentinel.failover_window, 1min);
  EXPECT_EQ(options.sentinel.address_map,
            (std::vector<std::pair<std::string, std::string>>{{"10.0.0.1:6379", "h:1"}, {"10.0.0.2", "k"}}));
  EXPECT_EQ(with_sentinels("redis-sentinel://h/m").sentinel.failover_window, 30s);
  EXPECT_EQ(with_sentinels("redis-sentinel://h/m?failover_window=0s").sentinel.failover_window, 0s);
}

TEST(SentinelUrl, IsRefusedInWordsThatNameThePart) {
  const std::pair<std::string, std::string_view> bad[] = {
      {"redis-sentinel://h", "name of the master is missing"},
      {"redis-sentinel://h/", "name of the master is missing"},
      {"redis-sentinel://h1,h2//0", "name of the master is missing"},
      {"redis-sentinel://h/a%20b", "the name of a master may hold"},
      {"redis-sentinel://h/a b", "the name of a master may hold"},
      {"redis-sentinel://h/m/x", "not the number of a database"},
      {"redis-sentinel://h/m/0/1", "not the number of a database"},
      {"redis-sentinel://h/m/1?db=1", "the database twice"},
      {"redis-sentinel://h1,,h2/m", "between two commas"},
      {"redis-sentinel://,h2/m", "between two commas"},
      {"redis-sentinel://h1,/m", "after the last comma"},
      {"redis-sentinel://h1,h2:0/m", "port"},
      {"redis-sentinel://h1;h2/m", "the host may hold"},
      {"redis-sentinel://h1,[::1/m", "no ']'"},
      {"redis-sentinel://word@h1,h2/m", "user:password@ or :password@"},
      {"redis-sentinel:h/m", "must be followed by ://"},
      {"redis-sentinel://h/m?sentinel_username=u", "sentinel_username needs sentinel_password"},
      {"redis-sentinel://h/m?failover_window=2h", "failover_window: give 0 to 1 h"},
      {"redis-sentinel://h/m?address_map=h:1", "address_map: expected announced=reachable"},
      {"redis-sentinel://h/m?address_map=h:1=", "address_map: expected announced=reachable"},
      {"redis-sentinel://h/m?address_map=h:1=k", "address_map: expected announced=reachable"},
      {"redis-sentinel://h/m?address_map=h:x=k:1", "address_map: expected announced=reachable"},
      {"redis-sentinel://h/m?address_map=h:1=k:1,h:1=l:1", "given twice"},
      {"redis-sentinel://h/m?ca_file=/a", "'ca_file' is for rediss://"},
      {"redis://h?sentinel_password=p", "'sentinel_password' is for redis-sentinel://"},
      {"memory:?failover_window=1s", "'failover_window' is for redis-sentinel://"},
  };
  for (const auto& [url, words] : bad) {
    const std::string error = error_of([&, &text = url] { with_sentinels(text); });
    EXPECT_NE(error.find(words), std::string::npos) << url << ": " << error;
  }
  ManagerOptions by_field;
  by_field.sentinel.address_map = {{"10.0.0.1", "[::1]:x"}};
  EXPECT_NE(error_of([&] { with_sentinels("redis-sentinel://h/m", by_field); }).find("address_map"), std::string::npos);
}

TEST(SentinelUrl, ShowsNobodyWhenRedacted) {
  EXPECT_EQ(detail::redacted("redis-sentinel://u:canary@h1,h2:1/m?sentinel_password=canary"),
            "redis-sentinel://***@h1:26379,h2:1/m/0");
  EXPECT_EQ(detail::redacted("redis-sentinel://u:canary@h1"), "redis-sentinel://...");
}

TEST(SentinelAddressMap, IsByPortOrForAWholeHost) {
  const std::pair<std::string, std::string> entries[] = {
      {"10.0.0.1", "out"}, {"10.0.0.1:7", "[::1]:8"}, {"[fd00::1]", "six"}};
  const detail::AddressMap map(entries);
  const auto reach = [&](const std::string& host, std::uint16_t port) {
    const auto address = map.reachable({host, port});
    return address.host + " " + std::to_string(address.port);
  };
  EXPECT_EQ(reach("10.0.0.1", 6379), "out 6379");
  EXPECT_EQ(reach("10.0.0.1", 7), "::1 8");
  EXPECT_EQ(reach("fd00::1", 6379), "six 6379");
  EXPECT_EQ(reach("10.0.0.2", 7), "10.0.0.2 7");
}

}  // namespace
}  // namespace dsta::cache
