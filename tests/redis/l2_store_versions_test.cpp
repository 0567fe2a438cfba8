// Versions at L2: how they come to who needs them, and how others learn that one was raised.
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "l2/values/l2_store.hpp"
#include "l2_store_test.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
struct L2StoreVersions : testing_support::L2StoreTest {
  bool add_late(const std::vector<std::string>& tags, Duration life, std::uint64_t before, Versions& versions) {
    std::vector<VersionStore::Needed> needed;
    for (const auto& tag : tags) needed.push_back({tag, life});
    const auto late = l2_store->versions().ask_late(needed, true);
    return late && VersionStore::add_late(tags, *late, before, versions);
  }
};

TEST_F(L2StoreVersions, AWriteBringsTheVersionsThatItsEntriesDependOn) {
  l2_store->versions().raise("tag", true);
  Versions versions;
  const EntryWriter::Put puts[] = {{"a", value("a"), 0s}};
  const std::vector<std::string> dependencies{"tag", "missing"};
  EXPECT_TRUE(l2_store->writer().put(puts, dependencies, &versions)[0]);
  ASSERT_TRUE(versions.find("tag"));
  EXPECT_EQ(*versions.find("tag"), parse_version(at(l2_store->keys().version("tag"))));
  ASSERT_TRUE(versions.find("missing"));
  EXPECT_EQ(*versions.find("missing"), std::nullopt);
  ASSERT_TRUE(versions.find(""));
}

TEST_F(L2StoreVersions, AReadBringsThoseThatTheValuesName) {
  l2_store->versions().raise("tag", false);
  const TagVersion tags[] = {{"tag", 5}, {"missing", 6}};
  const std::uint64_t epoch = 1;
  command({"SET", "dsta:a", encode(Envelope{{}, {}, 0, {&epoch, 1}, tags, "", "dsta:a", "v"})});
  EntryQuery query{"a"};
  Versions versions;
  ASSERT_TRUE(l2_store->reader().read({&query, 1}, {}, versions));
  ASSERT_TRUE(versions.find("tag") && versions.find("missing"));
  EXPECT_EQ(*versions.find("tag"), parse_version(at(l2_store->keys().version("tag"))));
  EXPECT_EQ(*versions.find("missing"), std::nullopt);
}

TEST_F(L2StoreVersions, AReadBringsTheVersionsThatALeaseWasTakenUnder) {
  l2_store->versions().raise("tag", true);
  const TagVersion tags[] = {{"tag", 5}, {"missing", 6}};
  const std::uint64_t epoch = 1;
  command({"SET", "dsta:a", encode(Lease{token('a'), 1, {&epoch, 1}, tags})});
  EntryQuery query{"a"};
  Versions versions;
  ASSERT_TRUE(l2_store->reader().read({&query, 1}, {}, versions));
  ASSERT_TRUE(versions.find("tag") && versions.find("missing") && versions.find(""));
  EXPECT_EQ(*versions.find("tag"), parse_version(at(l2_store->keys().version("tag"))));
  EXPECT_EQ(*versions.find("missing"), std::nullopt);
}

TEST_F(L2StoreVersions, AreReadAgainWhereAValueKnowsAnother) {
  l2_store->versions().are_reported = [] { return true; };
  const std::vector<std::string> dependencies{"tag"};
  Versions before, after;
  ASSERT_TRUE(l2_store->versions().need(dependencies, 60s, before));
  L2Store other(options());
  ASSERT_TRUE(other.versions().raise("tag", true));  // and no word of it yet
  const Version raised = *parse_version(at(l2_store->keys().version("tag")));
  const std::uint64_t epoch = (*before.find(""))->expired;
  const TagVersion tags[] = {{"tag", raised.expired}};
  command({"SET", "dsta:a", encode(Envelope{{}, {}, 0, {&epoch, 1}, tags, "", "dsta:a", "v"})});
  EntryQuery query{"a"};
  ASSERT_TRUE(l2_store->reader().read({&query, 1}, dependencies, after));
  EXPECT_EQ(*after.find("tag"), raised);
}

TEST_F(L2StoreVersions, AnEvictedFunctionVersionStillCounts) {
  const std::string function = function_dependency("api:price");
  const std::vector<std::string> dependencies{function};
  Versions before;
  ASSERT_TRUE(l2_store->versions().need(dependencies, 0s, before));
  const TagVersion tags[] = {{function, (*before.find(function))->expired}};
  const std::uint64_t epoch = (*before.find(""))->expired;
  command({"SET", "dsta:a", encode(Envelope{{}, {}, 0, {&epoch, 1}, tags, "", "dsta:a", "v"})});
  for (const bool all : {false, true}) {
    command({"DEL", l2_store->keys().version(function)});
    if (all) command({"DEL", l2_store->keys().epoch()});
    L2Store reader(options());
    EntryQuery query{"a"};
    Versions after;
    ASSERT_TRUE(reader.reader().read({&query, 1}, {}, after));
    ASSERT_TRUE(after.find(function) && after.find(""));
    EXPECT_EQ(*after.find(function), *before.find(function));
    EXPECT_EQ(*after.find(""), *before.find(""));
  }
}

TEST_F(L2StoreVersions, EvictedVersionsComeBackFromTheirCopies) {
  const std::string function = function_dependency("api:price");
  const std::vector<std::string> dependencies{function, "tag"};
  Versions versions;
  ASSERT_TRUE(l2_store->versions().need(dependencies, 60s, versions));
  const std::string keys[] = {l2_store->keys().epoch(), l2_store->keys().version(function)};
  std::vector<std::string> texts;
  for (const std::string& key : keys) {
    texts.push_back(at(key));
    EXPECT_EQ(at(l2_store->keys().copy(key)), texts.back());
    command({"DEL", key});
  }
  l2_store->versions().keep_alive();
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(at(keys[i]), texts[i]);
  for (const std::string& key : keys) command({"DEL", l2_store->keys().copy(key)});
  l2_store->versions().keep_alive();
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(at(l2_store->keys().copy(keys[i])), texts[i]);
  EXPECT_FALSE(there(l2_store->keys().copy(l2_store->keys().version("tag"))));
}

TEST_F(L2StoreVersions, TheClockIsBetweenTheHighestAndTheNext) {
  const std::uint64_t made = l2_store->versions().clock();
  EXPECT_GT(made, 0u) << "made where it is missing";
  EXPECT_EQ(l2_store->versions().clock(), made);
  for (const char* const tag : {"a", "b", "a"}) {
    const std::uint64_t before = l2_store->versions().clock();
    ASSERT_TRUE(l2_store->versions().raise(tag, true));
    const Version raised = *parse_version(at(l2_store->keys().version(tag)));
    EXPECT_GT(raised.expired, before);
    EXPECT_EQ(l2_store->versions().clock(), raised.expired);
  }
  command({"SET", l2_store->keys().clock(), "damage"});
  EXPECT_EQ(l2_store->versions().clock(), 0u);
}

TEST_F(L2StoreVersions, ALateTagCountsUnlessRaisedSince) {
  l2_store->versions().raise("old", true);
  const std::uint64_t before = l2_store->versions().clock();
  const std::vector<std::string> late{"old", "new"};
  Versions versions;
  ASSERT_TRUE(add_late(late, 60s, before, versions));
  EXPECT_EQ(*versions.find("old"), parse_version(at(l2_store->keys().version("old"))));
  EXPECT_EQ((*versions.find("new"))->expired, before) << "it was not raised since either";
  EXPECT_GE(life(l2_store->keys().version("new")), 59'000);
  for (const bool hard : {false, true}) {
    for (const char* const tag : {"old", "new"}) {
      const std::uint64_t shown = l2_store->versions().clock();
      Versions none;
      l2_store->versions().raise(tag, hard);
      EXPECT_FALSE(add_late(late, 60s, shown, none)) << tag;
      command({"UNLINK", l2_store->keys().version(tag)});
      EXPECT_FALSE(add_late(late, 60s, shown, none)) << tag << ", whose version was evicted since";
      EXPECT_TRUE(add_late(late, 60s, l2_store->versions().clock(), none));
    }
  }
}

TEST_F(L2StoreVersions, ALateTagCountsThoughOthersWereRaised) {
  const std::uint64_t before = l2_store->versions().clock();
  for (int i = 0; i < 20; ++i) l2_store->versions().raise("other", true);
  const std::vector<std::string> late{"never seen"};
  Versions versions;
  EXPECT_TRUE(add_late(late, 60s, before, versions));
  for (int i = 0; i < 40; ++i) l2_store->versions().raise("other", true);
  Versions again;
  const std::vector<std::string> later{"never seen either"};
  EXPECT_FALSE(add_late(later, 60s, before, again)) << "more raises than the clock tells: it may be among them";
}

TEST_F(L2StoreVersions, ALateTagDoesNotCountWhereTheClockWasLost) {
  const std::vector<std::string> late{"tag"};
  Versions versions;
  EXPECT_FALSE(add_late(late, 60s, 0, versions)) << "it was not to be had before the load";
  const std::uint64_t before = l2_store->versions().clock();
  command({"SET", l2_store->keys().clock(), std::to_string(before - 1)});
  EXPECT_FALSE(add_late(late, 60s, before, versions)) << "it began again and is behind";
}

TEST_F(L2StoreVersions, ATagThatWasKnownBeforeIsNotLookedAtLate) {
  Versions versions;
  versions.add("tag", Version{5, 5});
  const std::uint64_t before = l2_store->versions().clock();
  l2_store->versions().raise("tag", true);
  const std::vector<std::string> late{"tag"};
  EXPECT_TRUE(add_late(late, 60s, before, versions));
  EXPECT_EQ(*versions.find("tag"), (Version{5, 5})) << "what was fixed before the load stays";
}

TEST_F(L2StoreVersions, RaisingAVersionForgetsItAndGivesNotice) {
  Versions versions;
  const std::vector<std::string> dependencies{"tag"};
  ASSERT_TRUE(l2_store->versions().need(dependencies, 60s, versions));
  const Version before = **versions.find("tag");
  EXPECT_TRUE(l2_store->versions().recall("tag"));
  EXPECT_TRUE(l2_store->versions().raise("tag", true));
  EXPECT_FALSE(l2_store->versions().recall("tag"));
  EXPECT_EQ(parse_version(at(l2_store->keys().version("tag")))->evaluate(before.expired), Version::Verdict::gone);
  std::istringstream notices(command({"KEYS", "dsta:\x01n:*"}));
  std::size_t count = 0;
  for (std::string key; std::getline(notices, key); ++count) {
    const auto notice = l2_store->keys().parse(key);
    EXPECT_EQ(notice.kind, KeySpace::Kind::notice);
    EXPECT_EQ(notice.name, "tag");
    EXPECT_FALSE(l2_store->versions().heed(notice.token)) << "one's own is known already";
  }
  EXPECT_GE(count, 1u);
}

TEST_F(L2StoreVersions, AGuessAsksOnlyForWhatWasNeverSeen) {
  const std::vector<std::string> dependencies{"tag"};
  Versions first, guess, second;
  ASSERT_TRUE(l2_store->versions().guess(dependencies, 60s, first));
  const Version seen = **first.find("tag");
  command({"DEL", l2_store->keys().version("tag")});
  ASSERT_TRUE(l2_store->versions().guess(dependencies, 60s, guess));
  EXPECT_EQ(*guess.find("tag"), seen);
  EXPECT_FALSE(there(l2_store->keys().version("tag")));
  l2_store->versions().raise("another", true);  // for all that the server knows it was this one
  l2_store->versions().forget("tag");
  ASSERT_TRUE(l2_store->versions().guess(dependencies, 60s, second));
  EXPECT_GT((*second.find("tag"))->removed, seen.expired) << "made again it is none of before the last raise";
}

TEST_F(L2StoreVersions, AGuessAsksAgainWhereTheServerMayForgetIt) {
  const std::vector<std::string> dependencies{"tag"};
  const std::string key = l2_store->keys().version("tag");
  Versions versions;
  ASSERT_TRUE(l2_store->versions().guess(dependencies, 60s, versions));
  command({"PEXPIRE", key, "1000"});
  ASSERT_TRUE(l2_store->versions().guess(dependencies, 60s, versions));
  EXPECT_LE(life(key), 1'000) << "it was asked for just now";
  ASSERT_TRUE(l2_store->versions().guess(dependencies, 600s, versions));
  EXPECT_GE(life(key), 590'000);
  ASSERT_TRUE(l2_store->versions().guess(dependencies, 0s, versions));
  EXPECT_EQ(life(key), -1);
}

TEST_F(L2StoreVersions, OfAFunctionStaysAndOfATagWhileNeeded) {
  Versions versions;
  const std::vector<std::string> dependencies{"tag", function_dependency("api:price")};
  ASSERT_TRUE(l2_store->versions().need(dependencies, 60s, versions));
  EXPECT_GE(life(l2_store->keys().version("tag")), 59'000);
  EXPECT_EQ(life(l2_store->keys().version(dependencies[1])), -1);
  EXPECT_EQ(life(l2_store->keys().epoch()), -1);
}

}  // namespace
}  // namespace dsta::cache::detail
