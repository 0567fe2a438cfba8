// Managers come and go: each takes its threads, connections and memory along.
#include <gtest/gtest.h>

#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "backend_test.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Managers : BackendTest {
  static std::size_t count(const char* directory) {
    const auto all = std::filesystem::directory_iterator(directory);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
  static std::size_t resident() {
    malloc_trim(0);
    std::ifstream statm("/proc/self/statm");
    std::size_t size = 0, pages = 0;
    statm >> size >> pages;
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  }
  void work(int round) {
    auto other = manager();
    const auto f = other.cached({.ttl = 60s, .prefix = "f", .tags = {"t:{0}"}, .stale_for = 60s},
                                [](int n) { return std::to_string(n); });
    for (int n = 0; n < 20; ++n) ASSERT_EQ(f(n), std::to_string(n));
    ASSERT_TRUE(other.set("k" + std::to_string(round), std::string(1'000, 'v'), {.tags = {std::to_string(round)}}));
    other.invalidate_tag("t:1");
    f.cache_clear();
  }
};
INSTANTIATE_TEST_SUITE_P(On, Managers, all_backends(), backend_name);

TEST_P(Managers, MadeAndDestroyedLeaveNothingBehind) {
  for (int round = 0; round < 3; ++round) work(round);
  const std::size_t threads = count("/proc/self/task"), files = count("/proc/self/fd"), before = resident();
  for (int round = 0; round < 60; ++round) work(round);
  // The fixture's own manager may have come to some meanwhile.
  EXPECT_LE(count("/proc/self/task"), threads + 5);
  EXPECT_LE(count("/proc/self/fd"), files + 5);
  if (!kSanitized) {
    const std::size_t after = resident();
    EXPECT_LT(after, before + (std::size_t{4} << 20));
  }
}

}  // namespace
}  // namespace dsta::cache
