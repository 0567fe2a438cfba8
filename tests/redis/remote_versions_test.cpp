// Versions at L2: how they come to who needs them, and how others learn that one was raised.
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "l2/values/remote.hpp"
#include "remote_level.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using RemoteVersions = testing_support::RemoteLevel;

TEST_F(RemoteVersions, AWriteBringsTheVersionsThatItsEntriesDependOn) {
  remote->raise("tag", true);
  Versions versions;
  const Remote::Put puts[] = {{"a", value("a"), 0s}};
  const std::vector<std::string> dependencies{"tag", "missing"};
  EXPECT_TRUE(remote->put(puts, dependencies, &versions)[0]);
  ASSERT_TRUE(versions.find("tag"));
  EXPECT_EQ(*versions.find("tag"), parse_version(at(remote->keys().version("tag"))));
  ASSERT_TRUE(versions.find("missing"));
  EXPECT_EQ(*versions.find("missing"), std::nullopt);
  ASSERT_TRUE(versions.find(""));
}

TEST_F(RemoteVersions, AReadBringsThoseThatTheValuesName) {
  remote->raise("tag", false);
  const TagVersion tags[] = {{"tag", 5}, {"missing", 6}};
  const std::uint64_t epoch = 1;
  command({"SET", "dsta:a", encode(Envelope{{}, {}, 0, {&epoch, 1}, tags, "", "dsta:a", "v"})});
  RemoteQuery query{"a"};
  Versions versions;
  ASSERT_TRUE(remote->read({&query, 1}, {}, versions));
  ASSERT_TRUE(versions.find("tag") && versions.find("missing"));
  EXPECT_EQ(*versions.find("tag"), parse_version(at(remote->keys().version("tag"))));
  EXPECT_EQ(*versions.find("missing"), std::nullopt);
}

TEST_F(RemoteVersions, AReadBringsTheVersionsThatALeaseWasTakenUnder) {
  remote->raise("tag", true);
  const TagVersion tags[] = {{"tag", 5}, {"missing", 6}};
  const std::uint64_t epoch = 1;
  command({"SET", "dsta:a", encode(Lease{token('a'), 1, {&epoch, 1}, tags})});
  RemoteQuery query{"a"};
  Versions versions;
  ASSERT_TRUE(remote->read({&query, 1}, {}, versions));
  ASSERT_TRUE(versions.find("tag") && versions.find("missing") && versions.find(""));
  EXPECT_EQ(*versions.find("tag"), parse_version(at(remote->keys().version("tag"))));
  EXPECT_EQ(*versions.find("missing"), std::nullopt);
}

TEST_F(RemoteVersions, AreReadAgainWhereAValueKnowsAnother) {
  remote->versions_are_reported = [] { return true; };
  const std::vector<std::string> dependencies{"tag"};
  Versions before, after;
  ASSERT_TRUE(remote->need_versions(dependencies, 60s, before));
  Remote other(options());
  ASSERT_TRUE(other.raise("tag", true));  // and no word of it yet
  const Version raised = *parse_version(at(remote->keys().version("tag")));
  const std::uint64_t epoch = (*before.find(""))->expired;
  const TagVersion tags[] = {{"tag", raised.expired}};
  command({"SET", "dsta:a", encode(Envelope{{}, {}, 0, {&epoch, 1}, tags, "", "dsta:a", "v"})});
  RemoteQuery query{"a"};
  ASSERT_TRUE(remote->read({&query, 1}, dependencies, after));
  EXPECT_EQ(*after.find("tag"), raised);
}

TEST_F(RemoteVersions, AnEvictedFunctionVersionStillCounts) {
  const std::string function = function_dependency("api:price");
  const std::vector<std::string> dependencies{function};
  Versions before;
  ASSERT_TRUE(remote->need_versions(dependencies, 0s, before));
  const TagVersion tags[] = {{function, (*before.find(function))->expired}};
  const std::uint64_t epoch = (*before.find(""))->expired;
  command({"SET", "dsta:a", encode(Envelope{{}, {}, 0, {&epoch, 1}, tags, "", "dsta:a", "v"})});
  for (const bool all : {false, true}) {
    command({"DEL", remote->keys().version(function)});
    if (all) command({"DEL", remote->keys().epoch()});
    Remote reader(options());
    RemoteQuery query{"a"};
    Versions after;
    ASSERT_TRUE(reader.read({&query, 1}, {}, after));
    ASSERT_TRUE(after.find(function) && after.find(""));
    EXPECT_EQ(*after.find(function), *before.find(function));
    EXPECT_EQ(*after.find(""), *before.find(""));
  }
}

TEST_F(RemoteVersions, EvictedVersionsComeBackFromTheirCopies) {
  const std::string function = function_dependency("api:price");
  const std::vector<std::string> dependencies{function, "tag"};
  Versions versions;
  ASSERT_TRUE(remote->need_versions(dependencies, 60s, versions));
  const std::string keys[] = {remote->keys().epoch(), remote->keys().version(function)};
  std::vector<std::string> texts;
  for (const std::string& key : keys) {
    texts.push_back(at(key));
    EXPECT_EQ(at(remote->keys().copy(key)), texts.back());
    command({"DEL", key});
  }
  remote->keep_versions();
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(at(keys[i]), texts[i]);
  for (const std::string& key : keys) command({"DEL", remote->keys().copy(key)});
  remote->keep_versions();
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(at(remote->keys().copy(keys[i])), texts[i]);
  EXPECT_FALSE(there(remote->keys().copy(remote->keys().version("tag"))));
}

TEST_F(RemoteVersions, TheClockIsBetweenTheHighestAndTheNext) {
  const std::uint64_t made = remote->version_clock();
  EXPECT_GT(made, 0u) << "made where it is missing";
  EXPECT_EQ(remote->version_clock(), made);
  for (const char* const tag : {"a", "b", "a"}) {
    const std::uint64_t before = remote->version_clock();
    ASSERT_TRUE(remote->raise(tag, true));
    const Version raised = *parse_version(at(remote->keys().version(tag)));
    EXPECT_GT(raised.expired, before);
    EXPECT_EQ(remote->version_clock(), raised.expired);
  }
  command({"SET", remote->keys().clock(), "damage"});
  EXPECT_EQ(remote->version_clock(), 0u);
}

TEST_F(RemoteVersions, ALateTagCountsUnlessRaisedSince) {
  remote->raise("old", true);
  const std::uint64_t before = remote->version_clock();
  const std::vector<std::string> late{"old", "new"};
  Versions versions;
  ASSERT_TRUE(remote->late_versions(late, 60s, before, versions));
  EXPECT_EQ(*versions.find("old"), parse_version(at(remote->keys().version("old"))));
  EXPECT_EQ((*versions.find("new"))->expired, before) << "it was not raised since either";
  EXPECT_GE(life(remote->keys().version("new")), 59'000);
  for (const bool hard : {false, true}) {
    for (const char* const tag : {"old", "new"}) {
      const std::uint64_t shown = remote->version_clock();
      Versions none;
      remote->raise(tag, hard);
      EXPECT_FALSE(remote->late_versions(late, 60s, shown, none)) << tag;
      command({"UNLINK", remote->keys().version(tag)});
      EXPECT_FALSE(remote->late_versions(late, 60s, shown, none)) << tag << ", whose version was evicted since";
      EXPECT_TRUE(remote->late_versions(late, 60s, remote->version_clock(), none));
    }
  }
}

TEST_F(RemoteVersions, ALateTagCountsThoughOthersWereRaised) {
  const std::uint64_t before = remote->version_clock();
  for (int i = 0; i < 20; ++i) remote->raise("other", true);
  const std::vector<std::string> late{"never seen"};
  Versions versions;
  EXPECT_TRUE(remote->late_versions(late, 60s, before, versions));
  for (int i = 0; i < 40; ++i) remote->raise("other", true);
  Versions again;
  const std::vector<std::string> later{"never seen either"};
  EXPECT_FALSE(remote->late_versions(later, 60s, before, again))
      << "more raises than the clock tells: it may be among them";
}

TEST_F(RemoteVersions, ALateTagDoesNotCountWhereTheClockWasLost) {
  const std::vector<std::string> late{"tag"};
  Versions versions;
  EXPECT_FALSE(remote->late_versions(late, 60s, 0, versions)) << "it was not to be had before the load";
  const std::uint64_t before = remote->version_clock();
  command({"SET", remote->keys().clock(), std::to_string(before - 1)});
  EXPECT_FALSE(remote->late_versions(late, 60s, before, versions)) << "it began again and is behind";
}

TEST_F(RemoteVersions, ATagThatWasKnownBeforeIsNotLookedAtLate) {
  Versions versions;
  versions.add("tag", Version{5, 5});
  const std::uint64_t before = remote->version_clock();
  remote->raise("tag", true);
  const std::vector<std::string> late{"tag"};
  EXPECT_TRUE(remote->late_versions(late, 60s, before, versions));
  EXPECT_EQ(*versions.find("tag"), (Version{5, 5})) << "what was fixed before the load stays";
}

TEST_F(RemoteVersions, RaisingAVersionForgetsItAndGivesNotice) {
  Versions versions;
  const std::vector<std::string> dependencies{"tag"};
  ASSERT_TRUE(remote->need_versions(dependencies, 60s, versions));
  const Version before = **versions.find("tag");
  EXPECT_TRUE(remote->versions().find("tag"));
  EXPECT_TRUE(remote->raise("tag", true));
  EXPECT_FALSE(remote->versions().find("tag"));
  EXPECT_EQ(parse_version(at(remote->keys().version("tag")))->evaluate(before.expired), Version::Verdict::gone);
  std::istringstream notices(command({"KEYS", "dsta:\x01n:*"}));
  std::size_t count = 0;
  for (std::string key; std::getline(notices, key); ++count) {
    const auto notice = remote->keys().parse(key);
    EXPECT_EQ(notice.kind, KeySpace::Kind::notice);
    EXPECT_EQ(notice.name, "tag");
    EXPECT_FALSE(remote->notices().add(notice.token)) << "one's own is known already";
  }
  EXPECT_GE(count, 1u);
}

TEST_F(RemoteVersions, AGuessAsksOnlyForWhatWasNeverSeen) {
  const std::vector<std::string> dependencies{"tag"};
  Versions first, guess, second;
  ASSERT_TRUE(remote->guess_versions(dependencies, 60s, first));
  const Version seen = **first.find("tag");
  command({"DEL", remote->keys().version("tag")});
  ASSERT_TRUE(remote->guess_versions(dependencies, 60s, guess));
  EXPECT_EQ(*guess.find("tag"), seen);
  EXPECT_FALSE(there(remote->keys().version("tag")));
  remote->raise("another", true);  // for all that the server knows it was this one
  remote->versions().forget("tag");
  ASSERT_TRUE(remote->guess_versions(dependencies, 60s, second));
  EXPECT_GT((*second.find("tag"))->removed, seen.expired) << "made again it is none of before the last raise";
}

TEST_F(RemoteVersions, AGuessAsksAgainWhereTheServerMayForgetIt) {
  const std::vector<std::string> dependencies{"tag"};
  const std::string key = remote->keys().version("tag");
  Versions versions;
  ASSERT_TRUE(remote->guess_versions(dependencies, 60s, versions));
  command({"PEXPIRE", key, "1000"});
  ASSERT_TRUE(remote->guess_versions(dependencies, 60s, versions));
  EXPECT_LE(life(key), 1'000) << "it was asked for just now";
  ASSERT_TRUE(remote->guess_versions(dependencies, 600s, versions));
  EXPECT_GE(life(key), 590'000);
  ASSERT_TRUE(remote->guess_versions(dependencies, 0s, versions));
  EXPECT_EQ(life(key), -1);
}

TEST_F(RemoteVersions, OfAFunctionStaysAndOfATagWhileNeeded) {
  Versions versions;
  const std::vector<std::string> dependencies{"tag", function_dependency("api:price")};
  ASSERT_TRUE(remote->need_versions(dependencies, 60s, versions));
  EXPECT_GE(life(remote->keys().version("tag")), 59'000);
  EXPECT_EQ(life(remote->keys().version(dependencies[1])), -1);
  EXPECT_EQ(life(remote->keys().epoch()), -1);
}

}  // namespace
}  // namespace dsta::cache::detail
