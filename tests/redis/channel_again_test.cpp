// The channel of announcements: patterns are reported together, and tracking is tried again.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eventually.hpp"
#include "l2/client/link.hpp"
#include "l2/tracking/announcement.hpp"
#include "l2/tracking/channel.hpp"
#include "redis_server.hpp"
#include "refusing_proxy.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

class GlobNotes : public ChannelListener {
 public:
  void on_keys(std::span<const std::string_view> /*keys*/) override {}
  void on_flush() override {}
  void on_globs(std::span<const std::string_view> globs) override {
    if (reports++ == 0) go_on.get_future().wait();
    for (const std::string_view glob : globs) seen.emplace(glob);
    if (seen.contains("last")) ended = true;
  }
  void on_up(TimePoint /*known_good*/) override { ++times_up; }
  void on_down(std::string_view /*why*/) override {}

  std::promise<void> go_on;
  std::atomic<int> reports{0}, times_up{0};
  std::atomic<bool> ended{false};
  std::set<std::string> seen;
};

struct ChannelAgain : ::testing::Test {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
  }
  static LinkOptions to(std::uint16_t port) {
    LinkOptions options;
    options.address.host = "127.0.0.1";
    options.address.port = port;
    options.log.level = LogLevel::off;
    return options;
  }
};

/// Each costs a look at all of L1, on the thread that has to receive the others.
TEST_F(ChannelAgain, PatternsThatCameMeanwhileAreReportedTogether) {
  const RedisServer server;
  Link link(to(server.port()));
  GlobNotes notes;
  Channel channel({.ping_period = 5s, .coherence = CoherenceMode::announcements, .process = "me"}, link, notes);
  link.connect_in_background();
  ASSERT_TRUE(eventually([&] { return channel.up(); }));
  const auto announce = [&](std::string_view glob) {
    const auto text = AnnouncementText("other").add(Announcement::Kind::glob, glob);
    server.command({"PUBLISH", "dsta:changes", text.text()});
  };
  announce("first");
  ASSERT_TRUE(eventually([&] { return notes.reports == 1; }));
  for (int i = 0; i < 40; ++i) announce(i % 2 == 0 ? "a*" : "b*");
  announce("last");
  notes.go_on.set_value();
  ASSERT_TRUE(eventually([&] { return notes.ended.load(); }));
  channel.stop();
  EXPECT_LE(notes.reports, 10);
  EXPECT_EQ(notes.seen, (std::set<std::string>{"first", "a*", "b*", "last"}));
}

TEST_F(ChannelAgain, TrackingIsTriedAgainWhereItWasNotRefused) {
  const RedisServer server;
  std::atomic<bool> troubled{true};
  const RefusingProxy proxy(
      server.port(),
      [&](const auto& words) {
        return troubled && words.size() > 1 && upper(words[0]) == "CLIENT" && upper(words[1]) == "TRACKING";
      },
      RefusingProxy::By::end);
  Link link(to(proxy.port()));
  GlobNotes notes;
  const Channel channel(
      {.ping_period = 300ms, .coherence = CoherenceMode::automatic, .process = "me", .until_tracking_again = 200ms},
      link, notes);
  link.connect_in_background();
  ASSERT_TRUE(eventually([&] { return channel.up() && channel.mode() == CoherenceMode::announcements; }, 20s));
  troubled = false;
  EXPECT_TRUE(eventually([&] { return channel.up() && channel.mode() == CoherenceMode::tracking; }, 20s));
}

}  // namespace
}  // namespace dsta::cache::detail
