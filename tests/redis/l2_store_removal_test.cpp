// Removing at L2: what was asked for, all of it, and nothing else that stands in the server.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/glob.hpp"
#include "l2/values/l2_store.hpp"
#include "l2_store_test.hpp"
#include "random_values.hpp"
#include "server_info.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::RandomValues;
using Kind = Found::Kind;

struct L2StoreRemoval : testing_support::L2StoreTest {
  void put(std::string_view name, const std::string& bytes = "42") const {
    command({"SET", l2_store->keys().entry(name), bytes});
  }
  /// The heads of what was removed, by name.
  std::map<std::string, std::string> remove_matching(std::string_view pattern) {
    std::map<std::string, std::string> shown;
    EXPECT_TRUE(l2_store->remover().remove_matching(*glob_pattern(pattern), [&](auto removed) {
      for (const auto& [name, head] : removed) {
        EXPECT_TRUE(shown.emplace(name, head).second) << name << " was shown twice";
      }
    }));
    return shown;
  }
  std::set<std::string> names_removed(std::string_view pattern) {
    std::set<std::string> names;
    for (const auto& [name, head] : remove_matching(pattern)) names.insert(name);
    return names;
  }
};

TEST_F(L2StoreRemoval, ShowsWhatWasThere) {
  put("value", value("value"));
  command({"RPUSH", "dsta:list", "x"});
  Found before;
  EXPECT_TRUE(l2_store->remover().remove("value", before));
  EXPECT_EQ(before.kind, Kind::value);
  EXPECT_EQ(before.view.payload, "v");
  EXPECT_FALSE(there("dsta:value"));
  EXPECT_TRUE(l2_store->remover().remove("value", before));
  EXPECT_EQ(before.kind, Kind::nothing);
  EXPECT_TRUE(l2_store->remover().remove("list", before));
  EXPECT_TRUE(before.of_other_type);
  EXPECT_FALSE(there("dsta:list"));
}

TEST_F(L2StoreRemoval, OfManyLeavesTheOthers) {
  for (const std::string_view name : {"a", "b", "c", "\x01z"}) put(name);
  const std::string_view names[] = {"a", "c", "nothing", "\x01z"};
  EXPECT_TRUE(l2_store->remover().remove_many(names));
  EXPECT_TRUE(l2_store->remover().remove_many({}));
  EXPECT_EQ(command({"KEYS", "*"}), "dsta:b");
}

TEST_F(L2StoreRemoval, ByPatternTakesWhatMatchesAndShowsItsBeginning) {
  put("api:BTC", value("api:BTC"));
  put("api:long", std::string(2'000, 'x'));
  command({"RPUSH", "dsta:api:list", "x"});
  put("book:BTC");
  command({"SET", "other:api:BTC", "1"});
  command({"SET", "dsta2:api:BTC", "1"});
  const auto shown = remove_matching("api:*");
  EXPECT_EQ(shown, (std::map<std::string, std::string>{
                       {"api:BTC", value("api:BTC")}, {"api:long", std::string(512, 'x')}, {"api:list", ""}}));
  EXPECT_FALSE(there("dsta:api:list"));
  EXPECT_TRUE(there("dsta:book:BTC"));
  EXPECT_TRUE(there("other:api:BTC"));
  EXPECT_TRUE(there("dsta2:api:BTC"));
}

TEST_F(L2StoreRemoval, ByPatternTakesEachOfManyOnce) {
  std::vector<std::string> words{"MSET"};
  for (int i = 0; i < 3'000; ++i) words.insert(words.end(), {"dsta:k" + std::to_string(i), "1"});
  command(words);
  EXPECT_EQ(remove_matching("k*").size(), 3'000u);
  EXPECT_EQ(command({"DBSIZE"}), "0");
}

TEST_F(L2StoreRemoval, ByPatternTakesManyByOneCommand) {
  for (int i = 0; i < 500; ++i) put("m" + std::to_string(i), value("m" + std::to_string(i)));
  for (int i = 0; i < 2; ++i) {  // the first time the server learns the script
    command({"CONFIG", "RESETSTAT"});
    EXPECT_EQ(remove_matching(i == 0 ? "m1*" : "m*").size(), i == 0 ? 111u : 389u);
    EXPECT_LE(testing_support::calls_of(*server, "unlink"), 20u);
    EXPECT_LE(testing_support::calls_of(*server, "evalsha"), 20u);
  }
}

TEST_F(L2StoreRemoval, ByPatternShowsWhatIsThereToWhoMayRunNoScripts) {
  become("+@all -eval -evalsha");
  put("a1", "");
  put("a2", value("a2"));
  command({"RPUSH", "dsta:a3", "x"});
  command({"SET", l2_store->keys().raw_lease("a4"), "0"});
  EXPECT_EQ(remove_matching("a*"), (std::map<std::string, std::string>{{"a1", ""}, {"a2", value("a2")}, {"a3", ""}}));
}

TEST_F(L2StoreRemoval, APatternTakesNothingOfTheLibrarysOwn) {
  ASSERT_TRUE(l2_store->versions().raise("tag", true));
  ASSERT_TRUE(l2_store->leases().take_for_refresh({{"k", 5, token('a')}}, 60s)[0]);
  ASSERT_TRUE(l2_store->versions().raise_epoch());
  EntryQuery query{.name = "k", .orders = true};
  Versions versions;
  ASSERT_TRUE(l2_store->reader().read({&query, 1}, {}, versions));
  const KeySpace& keys = l2_store->keys();
  const std::string own[] = {keys.version("tag"), keys.refresh_lease("k", 5), keys.epoch(),
                             keys.clock(),        keys.copy(keys.epoch()),    keys.order("k")};
  put("k");
  for (const std::string_view pattern : {"*", "?*", "[^a]*", "\x01*", "\\\x01*"}) remove_matching(pattern);
  EXPECT_FALSE(there("dsta:k"));
  for (const std::string& key : own) EXPECT_TRUE(there(key)) << ::testing::PrintToString(key);
}

TEST_F(L2StoreRemoval, APatternTakesRawLeasesAndShowsOnlyEntries) {
  const auto take = [&](std::string_view name) { EXPECT_EQ(take_raw_lease(name, token('a')), token('a')); };
  for (const std::string_view name : {"api:BTC", "api:absent", "book:BTC", "\x01z"}) take(name);
  put("api:BTC");
  EXPECT_EQ(names_removed("api:*"), std::set<std::string>{"api:BTC"});
  EXPECT_FALSE(there(l2_store->keys().raw_lease("api:BTC")));
  EXPECT_FALSE(there(l2_store->keys().raw_lease("api:absent"))) << "nothing there, but its load is under way";
  EXPECT_TRUE(there(l2_store->keys().raw_lease("book:BTC")));
  EXPECT_TRUE(names_removed("*z").empty());
  EXPECT_FALSE(there(l2_store->keys().raw_lease("\x01z")));
}

TEST_F(L2StoreRemoval, APatternTakesNamesThatBeginWithAByteOne) {
  using namespace std::string_view_literals;
  static constexpr std::array kPieces = {"\x01"sv, "a"sv, "*"sv, "?"sv, "[\x01-a]"sv, "[^a]"sv, "\\\x01"sv, "\\a"sv};
  std::vector<std::string> names;
  for (const std::string_view first : {"\x01", "a", "b"}) {
    names.emplace_back(first);
    for (const std::string_view second : {"\x01", "a", "b"}) names.push_back(std::string(first) += second);
  }
  RandomValues random(1);
  for (int round = 0; round < 150; ++round) {
    std::string pattern(random.pick(kPieces));
    for (std::size_t more = random.below(3); more != 0; --more) pattern += random.pick(kPieces);
    std::set<std::string> expected;
    for (const std::string& name : names) {
      put(name);
      if (Glob(pattern).matches(name)) expected.insert(name);
    }
    ASSERT_EQ(names_removed(pattern), expected) << ::testing::PrintToString(pattern);
  }
}

TEST_F(L2StoreRemoval, OfAllThatIsOldLeavesWhatCameSince) {
  put("old", value("old", 1));
  put("counter");
  put("\x01z", value("\x01z", 1));
  command({"RPUSH", "dsta:list", "x"});
  command({"SET", "other:k", "1"});
  put("loading", encode_lease(token('a')));
  ASSERT_EQ(take_raw_lease("raw", token('a')), token('a'));
  ASSERT_TRUE(l2_store->versions().raise("tag", true));
  ASSERT_TRUE(l2_store->versions().raise_epoch());
  const std::uint64_t epoch = parse_version(at(l2_store->keys().epoch()))->expired;
  put("new", value("new", epoch));
  EXPECT_TRUE(l2_store->remover().remove_old(*glob_pattern("*")));
  for (const std::string_view name : {"old", "counter", "\x01z", "list"}) {
    EXPECT_FALSE(there(l2_store->keys().entry(name))) << name;
  }
  EXPECT_EQ(found("new").kind, Kind::value);
  EXPECT_EQ(found("loading").kind, Kind::lease) << "its load noted the epoch that it began in";
  EXPECT_FALSE(there(l2_store->keys().raw_lease("raw"))) << "it knows no epoch";
  EXPECT_TRUE(there("other:k"));
  EXPECT_TRUE(there(l2_store->keys().version("tag")));
  EXPECT_EQ(parse_version(at(l2_store->keys().epoch()))->expired, epoch);
}

TEST_F(L2StoreRemoval, OfAllThatIsOldMayBeLimitedToAPattern) {
  for (const std::string_view name : {"api:old", "book:old"}) put(name, value(name, 1));
  ASSERT_EQ(take_raw_lease("api:raw", token('a')), token('a'));
  ASSERT_EQ(take_raw_lease("book:raw", token('a')), token('a'));
  ASSERT_TRUE(l2_store->versions().raise_epoch());
  EXPECT_TRUE(l2_store->remover().remove_old(*glob_pattern("api:*")));
  EXPECT_FALSE(there("dsta:api:old"));
  EXPECT_FALSE(there(l2_store->keys().raw_lease("api:raw")));
  EXPECT_TRUE(there("dsta:book:old"));
  EXPECT_TRUE(there(l2_store->keys().raw_lease("book:raw")));
}

}  // namespace
}  // namespace dsta::cache::detail
