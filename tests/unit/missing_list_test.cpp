// What is missing at the server, as it is listed.
#include <dsta/cache/log.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "base/fork_count.hpp"
#include "l2/values/missing_commands.hpp"

namespace dsta::cache::detail {
namespace {

TEST(MissingListTest, EachIsSaidOnceAndGoesWhenItIsThere) {
  std::atomic<int> said{0};
  Log log;
  log.level = LogLevel::warning;
  log.sink = [&](LogLevel, std::string_view) { ++said; };
  MissingCommands missing(log, "h:1");
  EXPECT_EQ(missing.text(), "");
  missing.add("TIME", "the own clock", "NOPERM");
  missing.add("TIME", "the own clock", "NOPERM");
  missing.add("EVAL", "no leases", "NOPERM");
  EXPECT_EQ(said, 2);
  EXPECT_EQ(missing.text(), "no TIME: the own clock; no EVAL: no leases");
  missing.remove("TIME");
  EXPECT_EQ(missing.text(), "no EVAL: no leases");
  missing.clear();
  EXPECT_EQ(missing.text(), "");
}

/// The lock may be taken by a thread that the child does not have.
TEST(MissingListTest, AChildOfAForkDoesNotWaitForItsParent) {
  (void)fork_count();
  Log log;
  log.sink = [](LogLevel, std::string_view) {};
  MissingCommands missing(log, "h:1");
  std::atomic<bool> ends{false};
  std::thread other([&] {
    while (!ends) {
      missing.add("TIME", "x", "y");
      missing.remove("TIME");
    }
  });
  int hanging = 0;
  for (int i = 0; i < 200; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(20);
      missing.forked();
      missing.add("EVAL", "x", "y");
      ::_exit(missing.text() == "no EVAL: x" ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    hanging += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  }
  ends = true;
  other.join();
  EXPECT_EQ(hanging, 0);
}

}  // namespace
}  // namespace dsta::cache::detail
