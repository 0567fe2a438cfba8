// What tells one thing of this process from all others.
#include "base/nonce.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/fork_count.hpp"

namespace dsta::cache::detail {
namespace {

TEST(Nonce, NoTwoAreTheSameOnAnyThread) {
  std::array<std::vector<std::string>, 4> made;
  {
    std::vector<std::jthread> threads;
    for (auto& own : made) {
      threads.emplace_back([&own] {
        for (int i = 0; i < 2'000; ++i) own.push_back(new_nonce());
      });
    }
  }
  std::set<std::string> all;
  for (const auto& own : made) all.insert(own.begin(), own.end());
  EXPECT_EQ(all.size(), 8'000u);
}

TEST(Nonce, NeedsNoAllocation) { EXPECT_LE(new_nonce().size(), std::string().capacity()); }

/// Sixteen bytes at most that a child of this process writes.
template <class Make>
std::string of_a_child(Make make) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    const std::string text = make();
    _exit(write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  char text[16];
  const ssize_t size = read(ends[0], text, sizeof text);
  close(ends[0]);
  close(ends[1]);
  waitpid(child, nullptr, 0);
  return {text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

TEST(Nonce, AChildsAreNotThoseOfItsParent) {
  const std::string before = new_nonce();
  const std::string childs = of_a_child(new_nonce);
  EXPECT_EQ(childs.size(), before.size());
  EXPECT_NE(childs, new_nonce());
  EXPECT_NE(childs.substr(0, 6), before.substr(0, 6)) << "the process's part";
}

TEST(ForkCount, IsAnotherOneInAChildAndTheSameInItsParent) {
  const std::uint32_t before = fork_count();
  EXPECT_EQ(of_a_child([] { return std::to_string(fork_count()); }), std::to_string(before + 1));
  EXPECT_EQ(fork_count(), before);
}

}  // namespace
}  // namespace dsta::cache::detail
