// Versions at the shared level: how they come to who needs them, and how others learn that one was raised.
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "l2/remote.hpp"
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

TEST_F(RemoteVersions, AReadBringsTheVersionsOfWhatTheValuesNameThemselves) {
  remote->raise("tag", false);
  const TagVersion tags[] = {{"tag", 5}, {"missing", 6}};
  const std::uint64_t epoch = 1;
  command({"SET", "dsta:a", encode(Envelope{{}, {&epoch, 1}, tags, "", "dsta:a", "v"})});
  RemoteQuery query{"a"};
  Versions versions;
  ASSERT_TRUE(remote->read({&query, 1}, {}, versions));
  ASSERT_TRUE(versions.find("tag") && versions.find("missing"));
  EXPECT_EQ(*versions.find("tag"), parse_version(at(remote->keys().version("tag"))));
  EXPECT_EQ(*versions.find("missing"), std::nullopt);
}

TEST_F(RemoteVersions, RaisingAVersionForgetsItAndGivesNotice) {
  Versions versions;
  const std::vector<std::string> dependencies{"tag"};
  ASSERT_TRUE(remote->need_versions(dependencies, 60s, versions));
  const Version before = **versions.find("tag");
  EXPECT_TRUE(remote->versions().find("tag"));
  EXPECT_TRUE(remote->raise("tag", true));
  EXPECT_FALSE(remote->versions().find("tag"));
  EXPECT_EQ(parse_version(at(remote->keys().version("tag")))->judge(before.expired), Version::Verdict::gone);
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
  Versions first, guess, anew;
  ASSERT_TRUE(remote->guess_versions(dependencies, 60s, first));
  const Version seen = **first.find("tag");
  command({"DEL", remote->keys().version("tag")});
  ASSERT_TRUE(remote->guess_versions(dependencies, 60s, guess));
  EXPECT_EQ(*guess.find("tag"), seen);
  EXPECT_FALSE(there(remote->keys().version("tag")));
  remote->versions().forget("tag");
  ASSERT_TRUE(remote->guess_versions(dependencies, 60s, anew));
  EXPECT_GT((*anew.find("tag"))->removed, seen.expired) << "made anew it is never one of before";
}

TEST_F(RemoteVersions, AFunctionsVersionStaysForEverATagsAsLongAsItIsNeeded) {
  Versions versions;
  const std::vector<std::string> dependencies{"tag", function_dependency("api:price")};
  ASSERT_TRUE(remote->need_versions(dependencies, 60s, versions));
  EXPECT_GE(life(remote->keys().version("tag")), 59'000);
  EXPECT_EQ(life(remote->keys().version(dependencies[1])), -1);
  EXPECT_EQ(life(remote->keys().epoch()), -1);
}

}  // namespace
}  // namespace dsta::cache::detail
