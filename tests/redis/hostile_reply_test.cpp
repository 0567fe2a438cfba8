// Bytes that no server sends, end to end: the connection ends with an error by the deadline, and costs no memory.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "l2/client/link.hpp"
#include "scale.hpp"
#include "scripted_server.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using testing_support::kSanitized;
using testing_support::ScriptedServer;
using SteadyClock = std::chrono::steady_clock;

constexpr Duration kPatience = 300ms;
constexpr std::size_t kAllowedGrowth = std::size_t{1} << 20;

const std::string& repeated(std::string_view piece, std::size_t times) {
  static std::vector<std::unique_ptr<std::string>> kept;
  auto made = std::make_unique<std::string>();
  for (; times != 0; --times) *made += piece;
  return *kept.emplace_back(std::move(made));
}

struct Hostile {
  const char* name;
  ScriptedServer::Reply reply;
};

const std::vector<Hostile>& hostile() {
  static const std::vector<Hostile> all = {
      {"two thousand million elements", {"*2147483647\r\n"}},
      {"the longest text there could be", {"$9223372036854775807\r\n"}},
      {"a text longer than numbers go", {"$9223372036854775808\r\n"}},
      {"a text of half the limit that does not come", {"$268435456\r\n"}},
      {"an array of less than nothing", {"*-5\r\n"}},
      {"a text of less than nothing", {"$-5\r\n"}},
      {"100,000 arrays in each other", {repeated("*1\r\n", 100'000)}},
      {"a text without its line end", {"$5\r\nhelloXX"}},
      {"a line without its carriage return", {"+OK\n"}},
      {"an answer of HTTP", {"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"}},
      {"a TLS alert", {"\x15\x03\x01\x00\x02\x02\x28"sv}},
      {"a TLS server's first message", {"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\n\r\n"sv}},
      {"a line without end", {repeated("x", 16'384), true}},
      {"a status without end", {repeated("+", 16'384), true}},
      {"an error without end", {repeated("-ERR ", 4'000), true}},
      {"arrays in each other without end", {repeated("*1\r\n", 4'000), true}},
      {"arrays of two in each other without end", {repeated("*2\r\n", 4'000), true}},
      {"zero bytes without end", {repeated("\0"sv, 16'384), true}},
      {"RESP3", {"%1\r\n+a\r\n:1\r\n"}},
      {"nothing but line ends", {repeated("\r\n", 1'000)}},
      {"a push nobody asked for", {">2\r\n+a\r\n+b\r\n"}},
      {"more replies than requests without end", {repeated("+OK\r\n", 3'000), true}},
  };
  return all;
}

ScriptedServer::Script answering(const Hostile& how, bool at_login) {
  return [&how, at_login](std::string_view request) -> ScriptedServer::Reply {
    if (!at_login && request == "*1\r\n$4\r\nPING\r\n") return {"+PONG\r\n"};
    return how.reply;
  };
}

LinkOptions to(const ScriptedServer& server) {
  LinkOptions options;
  options.address.host = "127.0.0.1";
  options.address.port = server.port();
  options.operation_timeout = kPatience;
  options.log.level = LogLevel::off;
  return options;
}

/// The most memory that was resident since the last call, in bytes.
std::size_t peak_resident() {
  std::ifstream status("/proc/self/status");
  std::size_t kilobytes = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) kilobytes = std::stoul(line.substr(6));
  }
  std::ofstream("/proc/self/clear_refs") << "5";
  return kilobytes * 1024;
}

/// How much more memory was resident at some time of `action` than before it.
template <class Action>
std::size_t grown_by(const Action& action) {
  peak_resident();
  const std::size_t before = peak_resident();
  action();
  const std::size_t after = peak_resident();
  return after > before ? after - before : 0;
}

/// Asks by a reader and a writer: neither takes it for an answer.
void expect_refused(const Hostile& how, bool at_login) {
  ScriptedServer server(answering(how, at_login));
  for (const Purpose purpose : {Purpose::read, Purpose::write}) {
    Link link(to(server));
    const auto begun = SteadyClock::now();
    const Answer answer = link.run(Request{"GET", "k"}, purpose);
    const Duration took = SteadyClock::now() - begun;
    const bool surplus = std::string_view(how.name).starts_with("more replies");
    if (!surplus || purpose == Purpose::write) {
      EXPECT_FALSE(answer) << how.name;
    }
    EXPECT_LT(took, kPatience + 250ms) << how.name;
    if (at_login) {
      EXPECT_EQ(answer.fault, Fault::no_connection) << how.name;
    }
  }
  const auto end = SteadyClock::now() + 2s;
  while (server.connections() != 0 && SteadyClock::now() < end) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(server.connections(), 0u) << how.name;
}

TEST(HostileReply, EndsTheConnectionWithAnErrorByTheDeadline) {
  for (const Hostile& how : hostile()) expect_refused(how, false);
}

TEST(HostileReply, AtLoginIsNoConnection) {
  for (const Hostile& how : hostile()) {
    if (std::string_view(how.name).starts_with("more replies")) continue;  // the first of them is one
    expect_refused(how, true);
  }
}

TEST(HostileReply, CostsNoMemory) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer keeps freed memory";
  for (const Hostile& how : hostile()) expect_refused(how, false);  // whatever is allocated once and kept
  if (grown_by([] { EXPECT_EQ(std::string(8 * kAllowedGrowth, 'x').back(), 'x'); }) < 7 * kAllowedGrowth) {
    GTEST_SKIP() << "this system does not say how much was resident";
  }
  for (const Hostile& how : hostile()) {
    const std::size_t grown = grown_by([&] { expect_refused(how, false); });
    EXPECT_LE(grown, kAllowedGrowth) << how.name;
    std::printf("%-44s %5zu KiB at most\n", how.name, grown / 1024);
  }
}

}  // namespace
}  // namespace dsta::cache::detail
