// What decides whether an entry of L2 still counts, and what of it a process remembers.
#include "l2/values/versions.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "l2/values/keyspace.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::scaled;
using Verdict = Version::Verdict;

TEST(Version, AnEntryIsCurrentPastItsTtlOrGoneByWhatItNoted) {
  const Version version{.removed = 100, .expired = 200};
  EXPECT_EQ(version.evaluate(200), Verdict::current);
  EXPECT_EQ(version.evaluate(199), Verdict::expired);
  EXPECT_EQ(version.evaluate(100), Verdict::expired);
  EXPECT_EQ(version.evaluate(99), Verdict::gone);
  EXPECT_EQ(version.evaluate(0), Verdict::gone);
  EXPECT_EQ(version.evaluate(201), Verdict::gone) << "a version that was never here: the key was made again meanwhile";
}

TEST(Version, RemovedLastThereIsNothingBetweenCurrentAndGone) {
  const Version version{.removed = 100, .expired = 100};
  EXPECT_EQ(version.evaluate(100), Verdict::current);
  EXPECT_EQ(version.evaluate(99), Verdict::gone);
}

TEST(Version, IsTwoNumbersWithABlankBetween) {
  EXPECT_EQ(parse_version("100 200"), (Version{.removed = 100, .expired = 200}));
  EXPECT_EQ(parse_version("1700000000000001 1700000000000001"),
            (Version{.removed = 1'700'000'000'000'001, .expired = 1'700'000'000'000'001}));
}

TEST(Version, WhatIsNoVersionIsAMissingOne) {
  for (const std::string_view text :
       {"", " ", "100", "100 ", " 100", "100 200 ", " 100 200", "100  200", "100 200 300", "-100 200", "100 -200",
        "100\n200", "1e3 2e3", "0x1 0x2", "a b", "18446744073709551616 18446744073709551617"}) {
    EXPECT_EQ(parse_version(text), std::nullopt) << "'" << text << "'";
  }
  EXPECT_EQ(parse_version("200 100"), std::nullopt) << "removed after it expired last";
  EXPECT_EQ(parse_version("0 100"), std::nullopt) << "an entry that noted nothing would be as good as any";
}

TEST(VersionMemory, KnowsWhatWasNotedLast) {
  VersionMemory memory;
  EXPECT_EQ(memory.find("tag"), std::nullopt);
  memory.note("tag", {1, 2}, memory.mark());
  memory.note("", {3, 4}, memory.mark());
  EXPECT_EQ(memory.find("tag"), (Version{1, 2}));
  EXPECT_EQ(memory.find(""), (Version{3, 4}));
  memory.note("tag", {1, 5}, memory.mark());
  EXPECT_EQ(memory.find("tag"), (Version{1, 5}));
}

TEST(VersionMemory, ForgetsTheOneThatWasRaisedAndNoOther) {
  VersionMemory memory;
  memory.note("a", {1, 1}, memory.mark());
  memory.note("b", {2, 2}, memory.mark());
  memory.forget("a");
  EXPECT_EQ(memory.find("a"), std::nullopt);
  EXPECT_EQ(memory.find("b"), (Version{2, 2}));
  memory.forget_all();
  EXPECT_EQ(memory.find("b"), std::nullopt);
}

TEST(VersionMemory, AReplyThatMayBeOlderThanAChangeIsNotKept) {
  VersionMemory memory;
  const auto asked = memory.mark();
  memory.forget("tag");  // told of a change while the reply is on its way
  memory.note("tag", {1, 1}, asked);
  EXPECT_EQ(memory.find("tag"), std::nullopt);
  const auto asked_again = memory.mark();
  memory.forget_all();
  memory.note("tag", {2, 2}, asked_again);
  EXPECT_EQ(memory.find("tag"), std::nullopt);
  memory.note("tag", {3, 3}, memory.mark());
  EXPECT_EQ(memory.find("tag"), (Version{3, 3}));
}

TEST(VersionMemory, ToForgetWhatIsNotKnownAlsoVoidsRepliesUnderWay) {
  VersionMemory memory;
  const auto asked = memory.mark();
  memory.forget("never seen");
  memory.note("never seen", {1, 1}, asked);
  EXPECT_EQ(memory.find("never seen"), std::nullopt);
}

TEST(VersionMemory, KnowsForHowLongTheServerWasAskedToKeepOne) {
  VersionMemory memory;
  const TimePoint time{1h};
  memory.note("tag", {1, 1}, memory.mark(), time);
  EXPECT_TRUE(memory.find("tag", time));
  EXPECT_FALSE(memory.find("tag", time + 1s)) << "it may be gone by then";
  EXPECT_TRUE(memory.find("tag")) << "whatever becomes of it";
  memory.note("tag", {1, 1}, memory.mark(), time - 1s);
  EXPECT_TRUE(memory.find("tag", time)) << "what was asked for holds";
  memory.note("tag", {1, 1}, memory.mark());
  EXPECT_TRUE(memory.find("tag", time)) << "a read asks for nothing";
  memory.note("tag", {1, 2}, memory.mark(), time - 1s);
  EXPECT_FALSE(memory.find("tag", time)) << "it was asked for another version, which may have been made since";
}

TEST(VersionMemory, TellsWhichOnesTheServerIsToKeepForEver) {
  VersionMemory memory;
  EXPECT_TRUE(memory.kept_for_ever().empty());
  const std::string function = function_dependency("api:price");
  for (const std::string& name : {std::string(), std::string("tag"), function})
    memory.note(name, {1, 1}, memory.mark());
  auto names = memory.kept_for_ever();
  std::ranges::sort(names);
  EXPECT_EQ(names, (std::vector{std::string(), function}));
  memory.forget(function);
  EXPECT_EQ(memory.kept_for_ever(), std::vector{std::string()});
}

TEST(VersionMemory, IsBounded) {
  VersionMemory memory;
  constexpr int kMost = 100'000;
  for (int i = 0; i <= kMost; ++i) memory.note(std::to_string(i), {1, 1}, memory.mark());
  int known = 0;
  for (int i = 0; i <= kMost; ++i) known += memory.find(std::to_string(i)) ? 1 : 0;
  EXPECT_LE(known, kMost);
  EXPECT_TRUE(memory.find(std::to_string(kMost))) << "what came last is there";
}

TEST(VersionMemory, IsBoundedByBytesAndKeepsTheLastingOnes) {
  VersionMemory memory;
  const std::string long_name(10'000, 'n'), function = function_dependency("api:price");
  memory.note(function, {1, 1}, memory.mark());
  std::size_t bytes = 0;
  for (int i = 0; i < 2'000; ++i) memory.note(long_name + std::to_string(i), {1, 1}, memory.mark());
  for (int i = 0; i < 2'000; ++i) bytes += memory.find(long_name + std::to_string(i)) ? long_name.size() : 0;
  EXPECT_LE(bytes, std::size_t{9} << 20);
  EXPECT_GT(bytes, 0u);
  EXPECT_TRUE(memory.find(function));
}

TEST(VersionMemory, KnowsNoVersionFromBeforeAKnownChange) {
  VersionMemory memory;
  std::atomic<std::uint64_t> truth = 1;  // what the server would say
  std::atomic<bool> over = false;
  const auto ask = [&] {
    while (!over) {
      const auto mark = memory.mark();
      const auto reply = truth.load();
      memory.note("tag", {reply, reply}, mark);
    }
  };
  std::jthread first(ask), second(ask);
  int wrong = 0;
  for (std::uint64_t version = 2; version < scaled(100'000); ++version) {
    truth = version;
    memory.forget("tag");
    const auto known = memory.find("tag");
    wrong += known && known->expired < version ? 1 : 0;
  }
  over = true;
  EXPECT_EQ(wrong, 0);
}

TEST(NoticeMemory, HeedsEachNoticeOnce) {
  NoticeMemory notices;
  EXPECT_TRUE(notices.add("a"));
  EXPECT_TRUE(notices.add("b"));
  EXPECT_FALSE(notices.add("a"));
  EXPECT_FALSE(notices.add("b"));
}

TEST(NoticeMemory, KeepsTheLast4096) {
  NoticeMemory notices;
  constexpr int kMost = 4096;
  for (int i = 0; i < kMost; ++i) ASSERT_TRUE(notices.add(std::to_string(i)));
  EXPECT_FALSE(notices.add("0"));
  EXPECT_TRUE(notices.add("one more"));
  EXPECT_FALSE(notices.add("1")) << "only the first had to go";
  EXPECT_FALSE(notices.add(std::to_string(kMost - 1)));
  EXPECT_TRUE(notices.add("0"));
}

}  // namespace
}  // namespace dsta::cache::detail
