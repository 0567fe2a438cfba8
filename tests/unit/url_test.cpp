// Where a URL leads, what its options set, and how it reads when it is refused.
#include "l2/client/url.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>

#include <dsta/cache/manager.hpp>

#include "base/percent.hpp"
#include "error_of.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using detail::Endpoint;
using detail::parse_url;
using testing_support::error_of;
using Transport = Endpoint::Transport;

void expect_says(const std::string& error, std::string_view words) {
  EXPECT_NE(error.find(words), std::string::npos) << "no '" << words << "' in: " << error;
}

std::string refusal(std::string_view url) {
  return error_of([&] { parse_url(url); });
}

ManagerOptions applied(std::string_view url, ManagerOptions options = {}) {
  options.url = url;
  detail::apply_url(options);
  return options;
}

Endpoint server(std::string host, int port = 6379, int database = 0) {
  return {.transport = Transport::tcp,
          .host = std::move(host),
          .port = static_cast<std::uint16_t>(port),
          .database = database};
}

Endpoint as(std::string user, std::string password, Endpoint endpoint) {
  endpoint.user = std::move(user);
  endpoint.password = std::move(password);
  return endpoint;
}

Endpoint with_tls(Endpoint endpoint) {
  endpoint.transport = Transport::tls;
  return endpoint;
}

Endpoint socket(std::string path, int database = 0) {
  return {.transport = Transport::unix_socket, .path = std::move(path), .database = database};
}

Endpoint cluster(std::vector<detail::HostPort> nodes) {
  Endpoint endpoint = server(nodes[0].host, nodes[0].port);
  endpoint.cluster = std::move(nodes);
  return endpoint;
}

struct Good {
  std::string_view url;
  Endpoint endpoint;
};

const Good kGood[] = {
    {"", {}},
    {"memory:", {}},
    {"redis://h", server("h")},
    {"valkey://h:1/2", server("h", 1, 2)},
    {"rediss://h:6380", with_tls(server("h", 6380))},
    {"valkeys://h/7", with_tls(server("h", 6379, 7))},
    {"redis://cache-1.example_zone.COM:65535/2147483647", server("cache-1.example_zone.COM", 65535, 2147483647)},
    {"redis://10.0.0.7:6379/0", server("10.0.0.7")},
    // Nothing said.
    {"redis://", server("localhost")},
    {"redis:///", server("localhost")},
    {"redis:///3", server("localhost", 6379, 3)},
    {"redis://?db=3", server("localhost", 6379, 3)},
    {"redis://h/", server("h")},
    {"redis://h/?db=4", server("h", 6379, 4)},
    {"redis://h/%33", server("h", 6379, 3)},
    {"redis://h/007", server("h", 6379, 7)},
    {"redis://h?", server("h")},
    {"redis://h/1?&&", server("h", 6379, 1)},
    {"redis://h?cluster=false", server("h")},
    // User and password.
    {"redis://u:p@h", as("u", "p", server("h"))},
    {"redis://:p@h", as("", "p", server("h"))},
    {"redis://u:@h", as("u", "", server("h"))},
    {"redis://:@h", server("h")},
    {"redis://@h", server("h")},
    {"redis://:p@", as("", "p", server("localhost"))},
    {"redis://:p@:7", as("", "p", server("localhost", 7))},
    {"redis://:p@/7", as("", "p", server("localhost", 6379, 7))},
    {"redis://u:p@ss:w@rd@h:7", as("u", "p@ss:w@rd", server("h", 7))},
    {"redis://u:%40%3a%2F%3F%23%25%00@h", as("u", std::string("@:/?#%\0", 7), server("h"))},
    {"redis://u%3Av:p@h", as("u:v", "p", server("h"))},
    {"redis://u:a+b c;=&!$'()*,~@h", as("u", "a+b c;=&!$'()*,~", server("h"))},
    {"redis://u:\xC3\xA9[]@h", as("u", "\xC3\xA9[]", server("h"))},
    // IPv6.
    {"redis://[::1]", server("::1")},
    {"redis://[::1]:7/2", server("::1", 7, 2)},
    {"redis://u:p@[2001:db8::192.0.2.1]:7", as("u", "p", server("2001:db8::192.0.2.1", 7))},
    {"rediss://[fe80::1%25eth0.1]", with_tls(server("fe80::1%eth0.1"))},
    // A cluster.
    {"redis://h?cluster=true", cluster({{"h", 6379}})},
    {"redis://u:p@h1,h2:7,[::1]:8?cluster=true", as("u", "p", cluster({{"h1", 6379}, {"h2", 7}, {"::1", 8}}))},
    {"rediss://h1:1,h2:2/0?cluster=true", with_tls(cluster({{"h1", 1}, {"h2", 2}}))},
    // Sockets.
    {"unix:///run/redis.sock", socket("/run/redis.sock")},
    {"unix:///run/redis.sock?db=5", socket("/run/redis.sock", 5)},
    {"redis+unix:///run/redis.sock?db=0", socket("/run/redis.sock")},
    {"unix://u:p%40@/run/a%20b%3F.sock", as("u", "p@", socket("/run/a b?.sock"))},
};

TEST(Url, LeadsToItsEndpoint) {
  for (const Good& good : kGood) {
    EXPECT_NO_THROW(EXPECT_TRUE(parse_url(good.url) == good.endpoint) << good.url) << good.url;
  }
}

TEST(Url, OfAnEndpointLeadsBackToIt) {
  for (const Good& good : kGood) {
    EXPECT_TRUE(parse_url(detail::format_url(good.endpoint)) == good.endpoint) << detail::format_url(good.endpoint);
  }
  EXPECT_EQ(detail::format_url(as("u", "p@:", with_tls(server("::1", 7, 2)))), "rediss://u:p%40%3A@[::1]:7/2");
  EXPECT_EQ(detail::format_url(as("", "p", socket("/a b", 2))), "unix://:p@/a%20b?db=2");
}

TEST(Url, IsRefusedInWordsThatNameThePartAndTheRemedy) {
  const std::string long_host(254, 'h'), long_path(108, 'p');
  const std::pair<std::string, std::string_view> bad[] = {
      {"localhost:6379", "no scheme"},
      {"localhost", "no scheme"},
      {"://h", "no scheme"},
      {"REDIS://h", "no scheme"},
      {"rediz://h", "'rediz' is not known: known are 'memory:', redis://"},
      {"rediz://:p@h", "URL scheme is not known"},
      {"redis:", "'redis' must be followed by ://"},
      {"redis:h:6379", "'redis' must be followed by ://"},
      {"redis:/h", "'redis' must be followed by ://"},
      {"redis-sentinel://h1,h2:26379", "the name of the master is missing"},
      {"redis://h1,h2:7/0", "add the option cluster=true"},
      {"redis://h/1?cluster=true", "a cluster has database 0 alone, and the URL names 1"},
      {"redis://h?db=3&cluster=true", "a cluster has database 0 alone, and the URL names 3"},
      {"unix:///s?cluster=true", "not by a socket"},
      {"redis-sentinel://h/m?cluster=true", "sentinels name a single master"},
      {"redis://h1,,h2?cluster=true", "a node between two commas has no host"},
      {"redis://h1,?cluster=true", "there is no node after the last comma"},
      {"redis://h?address_map=a=b", "redis-sentinel:// (and its like) and cluster=true URLs only"},
      {"redis://h?cluster=yes", "cluster: expected true or false"},
      {"redis://word@h", "user:password@ or :password@"},
      {"redis://:6380", ":password@host"},
      {"redis://:", ":password@host"},
      {"redis://h:", "port"},
      {"redis://h:0", "port"},
      {"redis://h:65536", "port"},
      {"redis://h:-1", "port"},
      {"redis://h:+1", "port"},
      {"redis://h:7x", "port"},
      {"redis://h: 7", "port"},
      {"redis://h:p:7", "port"},
      {"redis://::1", ":password@host"},
      {"redis://fe80::1:6379", "in brackets"},
      {"redis://[::1", "']'"},
      {"redis://[::1]7", "after ']'"},
      {"redis://[::1]:", "port"},
      {"redis://[]", "IPv6"},
      {"redis://[h]", "IPv6"},
      {"redis://[127.0.0.1]", "IPv6"},
      {"redis://[::1%25]", "IPv6"},
      {"redis://[::1%zone]", "hexadecimal"},
      {"redis://[::1%41]", "IPv6"},
      {"redis://[::1%25a%2Fb]", "IPv6"},
      {"redis://h h", "the host may hold"},
      {"redis://h%41", "the host may hold"},
      {"redis://[::1]]", "after ']'"},
      {"redis://" + long_host, "the host may hold"},
      {"redis://h/x", "number of a database"},
      {"redis://h/-1", "number of a database"},
      {"redis://h/0/", "number of a database"},
      {"redis://h//", "number of a database"},
      {"redis://h/1.5", "number of a database"},
      {"redis://h/2147483648", "number of a database"},
      {"redis://h/%3", "hexadecimal"},
      {"redis://h/1?db=1", "twice"},
      {"redis://h?db=x", "db: expected"},
      {"redis://h?db=-1", "db: expected"},
      {"redis://h?db=", "db: expected"},
      {"redis://u:%4@h", "the password holds a '%'"},
      {"redis://u:%@h", "the password holds a '%'"},
      {"redis://u:%zz@h", "the password holds a '%'"},
      {"redis://%g0:p@h", "the user holds a '%'"},
      {"redis://u:pa/ss@h", "%2F"},
      {"redis://u:pa?ss@h", "%3F"},
      {"redis://u:pa#ss@h", "%23"},
      {"redis://h/0#x", "'#'"},
      {"unix://", "unix:///path"},
      {"unix:///", "unix:///path"},
      {"unix:///run/", "unix:///path"},
      {"unix://run/redis.sock", "no host"},
      {"unix://u:p@run/redis.sock", "no host"},
      {"unix:///a%0", "hexadecimal"},
      {"unix:///a%00b", "zero"},
      {"unix:///a@b", "%40"},
      {"unix:///" + long_path, "107 bytes"},
  };
  for (const auto& [url, words] : bad) {
    SCOPED_TRACE(url);
    expect_says(refusal(url), words);
  }
}

TEST(UrlOptions, SetTheFieldsTheyName) {
  const ManagerOptions options = applied(
      "rediss://h?max_bytes=1MiB&max_entries=2&default_ttl=3min&space=app&l1=false&max_connections=4&"
      "on_disconnect=serve&max_stale_age=1.5s&ping_period=100ms&"
      "connect_timeout=5ms&socket_timeout=250us&retry_on_timeout=false&max_reply_bytes=1.5KiB&"
      "ca_file=/etc/ca%20%26%40.pem&cert_file=/c.pem&key_file=/k.pem&server_name=cache.example&verify=false");
  EXPECT_EQ(options.l1.max_bytes, 1U << 20);
  EXPECT_EQ(options.l1.max_entries, 2U);
  EXPECT_EQ(options.default_ttl, OptionalDuration(3min));
  EXPECT_EQ(options.space, "app");
  EXPECT_FALSE(options.l1.enabled);
  EXPECT_EQ(options.l1.on_disconnect, OnDisconnect::serve);
  EXPECT_EQ(options.l1.max_stale_age, OptionalDuration(1500ms));
  EXPECT_EQ(options.l1.ping_period, OptionalDuration(100ms));
  EXPECT_EQ(options.pool.max_connections, 4U);
  EXPECT_EQ(options.pool.connect_timeout, OptionalDuration(5ms));
  EXPECT_EQ(options.pool.socket_timeout, OptionalDuration(250us));
  EXPECT_FALSE(options.pool.retry_on_timeout);
  EXPECT_EQ(options.pool.max_reply_bytes, 1536U);
  EXPECT_EQ(options.tls.ca_file, "/etc/ca &@.pem");
  EXPECT_EQ(options.tls.cert_file, "/c.pem");
  EXPECT_EQ(options.tls.key_file, "/k.pem");
  EXPECT_EQ(options.tls.server_name, "cache.example");
  EXPECT_FALSE(options.tls.verify);
}

TEST(UrlOptions, NameEveryPolicyOnDisconnect) {
  EXPECT_EQ(applied("redis://h").l1.on_disconnect, OnDisconnect::flush) << "the default";
  for (const auto& [word, policy] : {std::pair("flush", OnDisconnect::flush), std::pair("bypass", OnDisconnect::bypass),
                                     std::pair("serve", OnDisconnect::serve)}) {
    for (const char* server : {"redis://h", "valkeys://h", "unix:///s"}) {
      const std::string url = std::string(server) + "?on_disconnect=" + word;
      EXPECT_EQ(applied(url, {.l1 = {.on_disconnect = OnDisconnect::bypass}}).l1.on_disconnect, policy) << url;
    }
  }
}

TEST(UrlOptions, LeaveTheOtherFieldsAsTheyWereGiven) {
  const ManagerOptions given{.space = "given",
                             .l1 = {.on_disconnect = OnDisconnect::bypass, .max_stale_age = 7s},
                             .pool = {.max_connections = 7, .connect_timeout = 2s, .retry_on_timeout = false},
                             .tls = {.ca_file = "/given.pem", .verify = false}};
  const ManagerOptions options = applied("rediss://h?connect_timeout=1ms&verify=true", given);
  EXPECT_EQ(options.space, "given");
  EXPECT_EQ(options.l1.on_disconnect, OnDisconnect::bypass);
  EXPECT_EQ(options.l1.max_stale_age, OptionalDuration(7s));
  EXPECT_EQ(options.l1.ping_period, OptionalDuration(1s)) << "the default";
  EXPECT_EQ(options.pool.max_connections, 7U);
  EXPECT_EQ(options.pool.connect_timeout, OptionalDuration(1ms)) << "the URL wins";
  EXPECT_EQ(options.pool.socket_timeout, OptionalDuration(1s)) << "the default";
  EXPECT_FALSE(options.pool.retry_on_timeout);
  EXPECT_EQ(options.pool.max_reply_bytes, std::size_t{512} << 20);
  EXPECT_EQ(options.tls.ca_file, "/given.pem");
  EXPECT_TRUE(options.tls.verify) << "the URL wins";
  EXPECT_EQ(applied("redis://h", {.pool = {.socket_timeout = {}}}).pool.socket_timeout, OptionalDuration(1s));
}

TEST(UrlOptions, AreRefusedInWordsThatNameTheOption) {
  const std::pair<std::string_view, std::string_view> bad[] = {
      {"redis://h?max_conections=1", "'max_conections': did you mean max_connections? known are max_bytes"},
      {"redis://h?sockettimeout=1s", "did you mean socket_timeout?"},
      {"redis://h?dbs=1", "did you mean db?"},
      {"redis://h?password=x", "'password': known are max_bytes"},
      {"redis://h?Password=x", "unknown URL option: known are"},
      {"redis://h?=1", "unknown URL option: known are"},
      {"redis://h?max%5Fbytes=1", "unknown URL option: known are"},
      {"redis://h?db", "'db' has no value"},
      {"redis://h?4711", "URL option has no value"},
      {"redis://h?max_bytes=1&space=a&max_bytes=1", "'max_bytes' is given twice"},
      {"redis://h?ca_file=a", "'ca_file' is for rediss:// and valkeys:// URLs"},
      {"redis://h?verify=false", "'verify' is for rediss://"},
      {"unix:///s?server_name=a", "'server_name' is for rediss://"},
      {"memory:?max_connections=1", "'max_connections' is for a server's URLs"},
      {"memory:?max_entries=1&max_entries=1", "'max_entries' is given twice"},
      {"redis://h?space=%4", "space: a '%'"},
      {"redis://h?l1=1", "l1: expected true or false"},
      {"redis://h?on_disconnect=drop", "on_disconnect: expected flush, bypass or serve"},
      {"redis://h?on_disconnect=Flush", "on_disconnect: expected flush, bypass or serve"},
      {"redis://h?on_disconnect=", "on_disconnect: expected flush, bypass or serve"},
      {"redis://h?on_disconnect", "'on_disconnect' has no value"},
      {"redis://h?on_disconect=serve", "did you mean on_disconnect?"},
      {"redis://h?max_stale_age=1s&max_stale_age=2s", "'max_stale_age' is given twice"},
      {"redis://h?max_stale_age=1", "max_stale_age: expected a number with a unit (us, ms, s, min, h)"},
      {"redis://h?ping_period=-1s", "ping_period: expected a number with a unit (us, ms, s, min, h)"},
      {"redis://h?pingperiod=1s", "did you mean ping_period?"},
      {"memory:?on_disconnect=serve", "'on_disconnect' is for a server's URLs"},
      {"memory:?max_stale_age=1s", "'max_stale_age' is for a server's URLs"},
      {"memory:?ping_period=1s", "'ping_period' is for a server's URLs"},
      {"redis://h?retry_on_timeout=TRUE", "retry_on_timeout: expected true or false"},
      {"redis://h?max_connections=0", "max_connections: give 1 to 10000"},
      {"redis://h?max_connections=10001", "max_connections: give 1 to 10000"},
      {"redis://h?max_connections=99999999999999999999", "max_connections: expected a whole number"},
      {"redis://h?connect_timeout=0s", "connect_timeout: give more than 0"},
      {"redis://h?connect_timeout=1", "connect_timeout: expected a number with a unit (us, ms, s, min, h)"},
      {"redis://h?socket_timeout=25h", "socket_timeout: give more than 0 and at most 24 h"},
      {"redis://h?socket_timeout=0.0001us", "socket_timeout: give more than 0"},
      {"redis://h?socket_timeout=-1s", "socket_timeout: expected"},
      {"redis://h?max_reply_bytes=1023", "max_reply_bytes: give at least 1 KiB"},
      {"redis://h?max_reply_bytes=1MB", "(none, B, KiB, MiB, GiB)"},
      {"redis://h?max_bytes=1e30", "max_bytes: expected"},
      {"rediss://h?cert_file=a", "cert_file and key_file"},
      {"rediss://h?key_file=a", "cert_file and key_file"},
      {"rediss://h?ca_file=a%00", "ca_file contains a zero byte"},
  };
  for (const auto& [url, words] : bad) {
    SCOPED_TRACE(url);
    expect_says(refusal(url), words);
  }
  expect_says(refusal("rediss://h?x=1"), "ca_file, cert_file, key_file, server_name, verify");
  EXPECT_EQ(refusal("redis://h?x=1").find("ca_file"), std::string::npos) << "only what this scheme knows";
}

TEST(UrlOptions, TheStructsAreHeldToTheSameBounds) {
  const auto refused = [](ManagerOptions options) { return error_of([&] { CacheManager cache(std::move(options)); }); };
  expect_says(refused({.pool = {.max_connections = 0}}), "max_connections");
  expect_says(refused({.pool = {.connect_timeout = -1s}}), "connect_timeout");
  expect_says(refused({.pool = {.socket_timeout = forever}}), "socket_timeout");
  expect_says(refused({.pool = {.max_reply_bytes = 0}}), "max_reply_bytes");
  expect_says(refused({.l1 = {.max_stale_age = 0s}}), "max_stale_age: give more than 0 and at most 1 min");
  expect_says(refused({.l1 = {.ping_period = forever}}), "ping_period: give more than 0 and at most 1 min");
  expect_says(refused({.tls = {.key_file = "k.pem"}}), "cert_file and key_file");
}

TEST(Url, OfAServerIsCheckedWholeAndTheServerNeedNotBeThere) {
  const auto refused = [](std::string_view url) { return error_of([&] { CacheManager cache(url); }); };
  CacheManager cache("unix:///nowhere?l1=false");
  EXPECT_FALSE(cache.set("k", 1));
  expect_says(refused("redis://u:hunter2@h:1/2?space="), "space is empty");
  EXPECT_EQ(refused("redis://u:hunter2@h:1/2?space=").find("hunter2"), std::string::npos);
  expect_says(refused("redis://h?socket_timeout=1"), "socket_timeout");
  expect_says(refused("redis://h?space=a:b"), "space must not contain");
  expect_says(refused("redis://h?max_stale_age=0s"), "max_stale_age: give more than 0 and at most 1 min");
  expect_says(refused("redis://h?max_stale_age=61s"), "max_stale_age: give more than 0 and at most 1 min");
  expect_says(refused("redis://h?ping_period=0ms"), "ping_period: give more than 0 and at most 1 min");
  expect_says(refused("redis://h?ping_period=1.1min"), "ping_period: give more than 0 and at most 1 min");
  expect_says(refused("redis://h:x"), "port");
}

TEST(RedactedUrl, ShowsThePlaceAndNobody) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"redis://u:p@h:1/2?socket_timeout=1s", "redis://***@h:1/2"},
      {"valkeys://:p@[::1]", "rediss://***@[::1]:6379/0"},
      {"redis://h", "redis://h:6379/0"},
      {"unix://:p@/s?db=1", "unix://***@/s?db=0"},
      {"memory:?max_bytes=1", "memory:"},
      {"", "memory:"},
      {"redis://u:p@h:x", "redis://..."},
      {"redis-sentinel://:p@h1,h2/m", "redis-sentinel://***@h1:26379,h2:26379/m/0"},
      {"redis", "(a URL that cannot be read)"},
      {"p@h", "(a URL that cannot be read)"},
      {"u:p@h", "(a URL that cannot be read)"},
  };
  for (const auto& [url, shown] : cases) EXPECT_EQ(detail::redacted(url), shown) << url;
}

TEST(Percent, DecodesWhatItEncodes) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(detail::percent_decoded(detail::percent_encoded(all)), all);
  EXPECT_EQ(detail::percent_encoded("aZ0-._~/ \xFF", "/"), "aZ0-._~/%20%FF");
  EXPECT_EQ(detail::percent_decoded("%4a%4A+"), "JJ+");
  for (const char* bad : {"%", "%4", "%4g", "%g4", "% 4", "a%"}) EXPECT_EQ(detail::percent_decoded(bad), std::nullopt);
}

}  // namespace
}  // namespace dsta::cache
