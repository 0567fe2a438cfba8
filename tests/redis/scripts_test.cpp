// What the server runs in one step on entries and on their leases: each script does what its comment says, and nothing
// to anything else, whatever of its commands the user may not run.
#include "l2/values/scripts.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "eventually.hpp"
#include "l2_store_test.hpp"
#include "stored_bytes.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::string_literals;
using testing_support::as_first_version;

struct Rights {
  const char* name;
  const char* acl;
};
constexpr Rights kRights[] = {
    {"All", "+@all"},
    {"AllButGetrange", "+@all -getrange"},
    {"WhatTheDocsList", "-@all +get +set +getrange +unlink +pttl +pexpire +persist +time +type +eval +evalsha"},
};

struct EntryScript : testing_support::L2StoreTest, ::testing::WithParamInterface<Rights> {
  void SetUp() override {
    L2StoreTest::SetUp();
    if (!IsSkipped()) become(GetParam().acl);
  }
  void put(const std::string& bytes) const { command({"SET", "k", bytes}); }
  void put(const std::string& bytes, const std::string& life) const { command({"SET", "k", bytes, "PX", life}); }
};

#define DSTA_FOR_ALL_RIGHTS(suite)                                    \
  INSTANTIATE_TEST_SUITE_P(With, suite, ::testing::ValuesIn(kRights), \
                           [](const auto& of) { return std::string(of.param.name); })

using ScriptNames = testing_support::L2StoreTest;

TEST_F(ScriptNames, AreThoseByWhichTheServerKnowsTheTexts) {
  for (const Script* script : {&kReplaceIf, &kRawLease, &kRaiseVersion, &kNeedVersion, &kRemoveOld, &kHeads}) {
    EXPECT_EQ(command({"SCRIPT", "LOAD", std::string(script->text)}), script->sha1) << script->text;
  }
}

/// Who asks: by the generation that he has, by the order of his load, by what he saw.
struct By {
  std::string generation = {};
  std::uint32_t order = 0;
  std::string mark = {};
};

struct ReplaceIf : EntryScript {
  std::string replace(const By& by, const std::string& action, const std::string& life = "0") const {
    return replace(by, action, life, action == "set" ? "new" : "");
  }
  std::string replace(const By& by, const std::string& action, const std::string& life,
                      const std::string& bytes) const {
    return eval(kReplaceIf, {"k"}, {by.generation, std::to_string(by.order), by.mark, action, life, bytes});
  }
  static By of(char c, std::uint32_t order = 0) { return {.generation = text(token(c)), .order = order}; }
  static By who_saw(const std::string& bytes) {
    Found found;
    found.bytes = bytes;
    return {.mark = found.mark()};
  }

  const std::uint64_t epoch = 5;
  const TagVersion tag{"tag", 7};
  /// With versions, so that what a script writes of it is seen to keep them.
  std::string lease(char c, std::uint32_t holders = 1) const {
    return encode(Lease{token(c), holders, {&epoch, 1}, {&tag, 1}});
  }
  std::string value_of(char c, std::uint32_t order, std::string_view payload = "v") const {
    return value("k", 1, payload, token(c), order);
  }
  /// The lease at "k" is that of `c` and is whole.
  ::testing::AssertionResult has_lease(char c, std::uint32_t holders) const {
    const std::string bytes = at("k");
    if (bytes != lease(c, holders)) return ::testing::AssertionFailure() << ::testing::PrintToString(bytes);
    return ::testing::AssertionSuccess();
  }
};
DSTA_FOR_ALL_RIGHTS(ReplaceIf);

TEST_P(ReplaceIf, AValueTakesThePlaceOfTheLeaseThatItsLoadHas) {
  put(lease('a'), "3000");
  EXPECT_EQ(replace(of('b'), "set"), "0");
  EXPECT_TRUE(has_lease('a', 1));
  EXPECT_EQ(replace(of('a'), "set", "60000"), "1");
  EXPECT_EQ(at("k"), "new");
  EXPECT_TRUE(lives("k", 60'000));
  EXPECT_EQ(replace(of('a'), "set"), "0") << "and once";
}

TEST_P(ReplaceIf, AValueTakesThePlaceOfALeaseOfVersion1) {
  put(as_first_version(encode_lease(token('a'))), "3000");
  EXPECT_EQ(replace(of('b'), "set"), "0");
  EXPECT_EQ(replace(of('a', 5), "set", "60000"), "1");
  EXPECT_EQ(at("k"), "new");
}

TEST_P(ReplaceIf, AValueTakesThePlaceOfALeaseHoweverManyHoldIt) {
  put(lease('a', 3), "3000");
  EXPECT_EQ(replace(of('a', 0), "set", "0", value_of('a', 0)), "1") << "a number of holders is no order";
  EXPECT_EQ(at("k"), value_of('a', 0));
}

TEST_P(ReplaceIf, AValueStoredForeverOutlivesItsLease) {
  put(lease('a'), "3000");
  EXPECT_EQ(replace(of('a'), "set", "0"), "1");
  EXPECT_EQ(life("k"), -1);
}

TEST_P(ReplaceIf, OfLoadsOfOneGenerationTheLastToBeginStays) {
  constexpr std::uint32_t kOrders[] = {0, 1, 255, 256, 65'535, 65'536, 1u << 24, 1u << 31, 0xFFFFFFFF};
  for (const std::uint32_t there : kOrders) {
    for (const std::uint32_t mine : kOrders) {
      for (const std::string action : {"set", "remove"}) {
        SCOPED_TRACE(std::to_string(there) + " is there, comes " + std::to_string(mine));
        put(value_of('a', there));
        EXPECT_EQ(replace(of('a', mine), action), there > mine ? "2" : "1") << "the same load may store twice";
        EXPECT_EQ(at("k"), there > mine ? value_of('a', there) : action == "set" ? "new" : "(nil)");
      }
    }
  }
}

TEST_P(ReplaceIf, AValueOfAnotherGenerationIsNotReplaced) {
  put(value_of('a', 1));
  for (const std::string action : {"set", "remove", "leave", "join", "keep"}) {
    EXPECT_EQ(replace(of('b', 9), action, "60000"), "0") << action;
    EXPECT_EQ(at("k"), value_of('a', 1));
    EXPECT_EQ(life("k"), -1);
  }
}

TEST_P(ReplaceIf, AValueWithoutAGenerationIsKnownByItsChecksum) {
  const std::string old = as_first_version(value("k", 1, "old")), other = value("k", 1, "other");
  put(old);
  EXPECT_EQ(replace(who_saw(other), "set"), "0");
  EXPECT_EQ(at("k"), old);
  EXPECT_EQ(replace(who_saw(old), "set", "60000", other), "1");
  EXPECT_EQ(at("k"), other);
  EXPECT_TRUE(lives("k", 60'000));
  EXPECT_EQ(replace(who_saw(other), "remove"), "1");
  EXPECT_FALSE(there("k"));
}

TEST_P(ReplaceIf, WhatHoldsUpALoadIsTakenOverByWhoSawItWhateverItIs) {
  for (const std::string& seen : {lease('a', 2), as_first_version(encode_lease(token('a'))), value_of('a', 0), "text"s,
                                  "a longer text"s, "x"s, ""s, std::string(5000, 'x')}) {
    put(seen);
    const By by = who_saw(seen);
    EXPECT_EQ(replace(by, "set", "3000", lease('b')), "1") << ::testing::PrintToString(seen);
    EXPECT_TRUE(has_lease('b', 1));
    EXPECT_EQ(replace(by, "set", "3000", lease('c')), "0") << "one of those who saw it";
  }
}

TEST_P(ReplaceIf, AGenerationOrAMarkIsEnough) {
  put(value_of('a', 1));
  By by = of('a', 1);
  by.mark = "12345678";
  EXPECT_EQ(replace(by, "keep"), "1");
  by = who_saw(value_of('a', 1));
  by.generation = text(token('b'));
  by.order = 1;
  EXPECT_EQ(replace(by, "set"), "1");
}

TEST_P(ReplaceIf, WhoNamesNothingHasNothing) {
  for (const std::string& there : {value_of('\0', 0), encode_lease({}), encode_lease({}).substr(0, 16), "text"s}) {
    put(there);
    for (const std::string action : {"set", "remove", "leave", "join", "keep"}) {
      EXPECT_EQ(replace({}, action, "60000"), "0") << action;
      EXPECT_EQ(at("k"), there);
    }
  }
}

TEST_P(ReplaceIf, WhereNothingIsNothingIsDone) {
  for (const std::string action : {"set", "remove", "leave", "join", "keep"}) {
    EXPECT_EQ(replace(of('a'), action, "60000"), "0") << action;
    EXPECT_EQ(replace({.mark = "12345678"}, action, "60000"), "0") << action;
    EXPECT_EQ(replace({}, action, "60000"), "0") << action;
    EXPECT_FALSE(there("k"));
  }
}

TEST_P(ReplaceIf, ALeaseGoesWithItsLastHolder) {
  for (const std::string action : {"leave", "remove"}) {
    put(lease('a', 3), "1000000");
    EXPECT_EQ(replace(of('b'), action, "60000"), "0");
    EXPECT_TRUE(has_lease('a', 3));
    EXPECT_EQ(replace(of('a', 9), action, "60000"), "1");
    EXPECT_TRUE(has_lease('a', 2)) << "the load that failed takes nothing from the others";
    EXPECT_TRUE(lives("k", 60'000));
    EXPECT_EQ(replace(of('a'), action, "60000"), "1");
    EXPECT_TRUE(has_lease('a', 1));
    EXPECT_EQ(replace(of('a'), action, "60000"), "1");
    EXPECT_FALSE(there("k"));
    EXPECT_EQ(replace(of('a'), action, "60000"), "0");
  }
}

TEST_P(ReplaceIf, AMarkReplacesWhatIsRemovedWhileOthersLoad) {
  for (const std::string& before : {value_of('a', 1), lease('a', 2)}) {
    put(before);
    EXPECT_EQ(replace(of('b', 2), "remove", "60000", "a mark"), "0");
    EXPECT_EQ(at("k"), before);
    EXPECT_EQ(replace(of('a', 2), "remove", "60000", "a mark"), "1");
    EXPECT_EQ(at("k"), "a mark");
    EXPECT_TRUE(lives("k", 60'000));
  }
  put(value_of('a', 3));
  EXPECT_EQ(replace(of('a', 2), "remove", "60000", "a mark"), "2") << "a later load has stored";
  EXPECT_EQ(at("k"), value_of('a', 3));
  put(lease('a', 1));
  EXPECT_EQ(replace(of('a', 2), "remove", "60000", "a mark"), "1") << "nobody else loads";
  EXPECT_FALSE(there("k"));
}

TEST_P(ReplaceIf, ALeaseOfVersion1HasOneHolder) {
  const std::string first = as_first_version(encode_lease(token('a')));
  for (const std::string action : {"leave", "remove"}) {
    put(first, "3000");
    EXPECT_EQ(replace(of('a'), action, "60000"), "1");
    EXPECT_FALSE(there("k"));
  }
  put(first, "3000");
  EXPECT_EQ(replace(of('a'), "join", "60000"), "0") << "it could not be counted";
  EXPECT_EQ(at("k"), first);
  EXPECT_EQ(replace(of('a'), "keep", "60000"), "1");
  EXPECT_EQ(at("k"), first);
  EXPECT_TRUE(lives("k", 60'000));
}

TEST_P(ReplaceIf, LeavingAValueLeavesItAsItIs) {
  put(value_of('a', 4), "1000000");
  EXPECT_EQ(replace(of('a', 1), "leave", "3000"), "1");
  EXPECT_EQ(at("k"), value_of('a', 4));
  EXPECT_TRUE(lives("k", 1'000'000));
}

TEST_P(ReplaceIf, JoiningALeaseAddsAHolderAndKeepsItAlive) {
  for (const std::uint32_t holders : {1u, 2u, 255u, 256u, 65'534u}) {
    put(lease('a', holders), "3000");
    EXPECT_EQ(replace(of('b'), "join", "60000"), "0");
    EXPECT_EQ(replace(of('a', 7), "join", "60000"), "1");
    EXPECT_TRUE(has_lease('a', holders + 1));
    EXPECT_TRUE(lives("k", 60'000));
    EXPECT_EQ(replace(of('a', 7), "leave", "60000"), "1");
    EXPECT_TRUE(has_lease('a', holders));
  }
}

TEST_P(ReplaceIf, AValueIsNotJoined) {
  put(value_of('a', 1));
  EXPECT_EQ(replace(of('a', 7), "join", "60000"), "0") << "that load has ended";
  EXPECT_EQ(at("k"), value_of('a', 1));
  EXPECT_EQ(life("k"), -1);
}

TEST_P(ReplaceIf, ALeaseIsKeptForJustSoLong) {
  put(lease('a', 2), "1000000");
  EXPECT_EQ(replace(of('b'), "keep", "60000"), "0");
  EXPECT_TRUE(lives("k", 1'000'000));
  EXPECT_EQ(replace(of('a'), "keep", "60000"), "1");
  EXPECT_TRUE(lives("k", 60'000));
  EXPECT_TRUE(has_lease('a', 2));
}

TEST_P(ReplaceIf, AValueIsKeptForAtLeastSoLong) {
  put(value_of('a', 3), "1000");
  EXPECT_EQ(replace(of('a'), "keep", "60000"), "1");
  EXPECT_TRUE(lives("k", 60'000));
  EXPECT_EQ(replace(of('a'), "keep", "3000"), "1");
  EXPECT_TRUE(lives("k", 60'000)) << "never shorter than it was to live";
  put(value_of('a', 3));
  EXPECT_EQ(replace(of('a'), "keep", "3000"), "1");
  EXPECT_EQ(life("k"), -1);
  EXPECT_EQ(at("k"), value_of('a', 3));
}

TEST_P(ReplaceIf, AGenerationIsLookedForWhereItStands) {
  // Where a value of version 2 has it, one of version 1 has its codec and when it was made.
  std::string first = as_first_version(value("k"));
  first.replace(16, 16, text(token('a')));
  put(first);
  EXPECT_EQ(replace(of('a'), "set"), "0");
  put("text that ends in "s + text(token('a')));
  EXPECT_EQ(replace(of('a'), "set"), "0");
  put("text of 16 bytes" + text(token('a')) + "and more");
  EXPECT_EQ(replace(of('a'), "set"), "0");
  std::string later = value_of('a', 0);
  later[3] = 3;
  put(later);
  EXPECT_EQ(replace(of('a'), "set"), "0") << "nobody knows what a later version has there";
}

TEST_P(ReplaceIf, WhatIsNoStringIsLeftAlone) {
  command({"RPUSH", "k", "x"});
  EXPECT_NE(replace(of('a'), "set").find("WRONGTYPE"), std::string::npos);
  EXPECT_NE(replace({.mark = "12345678"}, "set").find("WRONGTYPE"), std::string::npos);
  EXPECT_EQ(command({"LLEN", "k"}), "1");
}

struct RawLease : EntryScript {
  static std::string name(char c) { return std::string(32, c); }
  std::string run(const std::string& action, char who, std::uint32_t order = 0, const std::string& life = "60000",
                  const std::string& bytes = "new") const {
    return eval(kRawLease, {"k", "lease"}, {action, name(who), std::to_string(order), life, bytes, "3000"});
  }
  std::string take(char who, const std::string& absent = "") const { return run("take", who, 0, "3000", absent); }
  std::string join(char who) const { return run("join", who, 0, "3000", ""); }
  /// Its fields: generation, holders, order, hash.
  std::vector<std::string> lease() const {
    std::istringstream in(at("lease"));
    std::vector<std::string> fields;
    for (std::string field; in >> field;) fields.push_back(field);
    fields.resize(4);
    return fields;
  }
  std::string holders() const { return lease()[1]; }
};
DSTA_FOR_ALL_RIGHTS(RawLease);

TEST_P(RawLease, StandsBesideTheEntryAsTextThatKnowsTheEntrysBytes) {
  EXPECT_EQ(take('a'), name('a'));
  EXPECT_EQ(at("lease"), name('a') + " 1 0 - 0");
  EXPECT_TRUE(lives("lease", 3'000));
  EXPECT_FALSE(there("k"));
  command({"DEL", "lease"});
  put("42");
  EXPECT_EQ(take('b'), name('b'));
  EXPECT_EQ(at("lease"), name('b') + " 1 0 92cfceb39d57d914ed8b14d0e37643de0797ae56 0") << "the sha1 of 42";
  EXPECT_EQ(at("k"), "42");
}

TEST_P(RawLease, IsTakenByOneWhoseNameTheOthersLearn) {
  ASSERT_EQ(take('a'), name('a'));
  command({"PEXPIRE", "lease", "60000"});
  EXPECT_EQ(take('b'), name('a'));
  EXPECT_EQ(take('b', "absent"), name('a'));
  EXPECT_EQ(at("lease"), name('a') + " 1 0 - 0");
  EXPECT_TRUE(lives("lease", 60'000)) << "who only looks changes nothing";
  put("42");
  EXPECT_EQ(take('b', "absent"), name('a'));
}

TEST_P(RawLease, IsNotTakenByWhoReadOtherBytes) {
  const auto take_having_read = [&](const std::string& mark, const std::string& there) {
    command({"DEL", "lease"});
    put(there);
    return take('a', mark);
  };
  EXPECT_EQ(take_having_read("=42", "42"), name('a'));
  EXPECT_EQ(take_having_read("=42", "43"), name('0'));
  EXPECT_EQ(take_having_read("=", ""), name('a'));
  EXPECT_EQ(take_having_read("=", "42"), name('0'));
  EXPECT_EQ(take_having_read("~5678", "12345678"), name('a'));
  EXPECT_EQ(take_having_read("~5678", "1234568"), name('0'));
  EXPECT_EQ(take_having_read("~5678", "8"), name('0'));
  command({"DEL", "k"});
  EXPECT_EQ(take('a', "=42"), name('0'));
  EXPECT_EQ(take('a', "~5678"), name('0'));
  EXPECT_FALSE(L2StoreTest::there("lease"));
}

TEST_P(RawLease, IsNotTakenByWhoSawNothingWhereSomethingIs) {
  EXPECT_EQ(take('a', "absent"), name('a'));
  command({"DEL", "lease"});
  for (const std::string& there : {"42"s, ""s}) {
    put(there);
    EXPECT_EQ(take('a', "absent"), name('0'));
    EXPECT_FALSE(L2StoreTest::there("lease"));
  }
}

TEST_P(RawLease, IsSharedByWhoJoins) {
  EXPECT_EQ(join('a'), name('a')) << "nobody has it: it is taken";
  EXPECT_EQ(at("lease"), name('a') + " 1 0 - 0");
  command({"PEXPIRE", "lease", "100"});
  EXPECT_EQ(join('b'), name('a'));
  EXPECT_EQ(at("lease"), name('a') + " 2 0 - 0");
  EXPECT_TRUE(lives("lease", 3'000));
}

TEST_P(RawLease, AValueIsStoredByWhoHasItAndOnce) {
  take('a');
  EXPECT_EQ(run("set", 'b'), "0");
  EXPECT_FALSE(there("k"));
  EXPECT_EQ(run("set", 'a'), "1");
  EXPECT_EQ(at("k"), "new");
  EXPECT_TRUE(lives("k", 60'000));
  EXPECT_FALSE(there("lease"));
  EXPECT_EQ(run("set", 'a', 1, "60000", "again"), "0");
  EXPECT_EQ(at("k"), "new");
}

TEST_P(RawLease, AValueMayBeStoredForEver) {
  command({"SET", "k", "old", "PX", "60000"});
  take('a');
  EXPECT_EQ(run("set", 'a', 0, "0"), "1");
  EXPECT_EQ(life("k"), -1);
}

TEST_P(RawLease, WhatAnybodyDidToTheEntryMeanwhileStands) {
  const auto store = [&] { command({"SET", "k", "other"}); };
  const auto remove = [&] { command({"DEL", "k"}); };
  for (const std::string action : {"set", "remove"}) {
    remove();
    take('a');
    store();
    EXPECT_EQ(run(action, 'a'), "0") << "something is there now";
    EXPECT_EQ(at("k"), "other");
    EXPECT_FALSE(there("lease")) << "nobody else is to wait for it";
    put("old");
    take('a');
    store();
    EXPECT_EQ(run(action, 'a'), "0");
    EXPECT_EQ(at("k"), "other");
    put("old");
    take('a');
    remove();
    EXPECT_EQ(run(action, 'a'), "0") << "it was removed";
    EXPECT_FALSE(there("k"));
  }
}

TEST_P(RawLease, RemovesTheEntry) {
  put("old");
  take('a');
  EXPECT_EQ(run("remove", 'b'), "0");
  EXPECT_EQ(at("k"), "old");
  EXPECT_EQ(run("remove", 'a'), "1");
  EXPECT_FALSE(there("k"));
  EXPECT_FALSE(there("lease"));
}

TEST_P(RawLease, OfSeveralLoadsTheLastToBeginStays) {
  for (const bool last_first : {false, true}) {
    SCOPED_TRACE(last_first);
    put("old");
    join('a');
    join('b');
    const std::uint32_t first = last_first ? 2 : 1, second = 3 - first;
    EXPECT_EQ(run("set", 'a', first, "60000", "first"), "1");
    EXPECT_EQ(holders(), "1");
    EXPECT_EQ(lease()[2], std::to_string(first));
    EXPECT_TRUE(lives("lease", 3'000)) << "for the other one";
    EXPECT_EQ(run("set", 'a', second, "60000", "second"), last_first ? "2" : "1");
    EXPECT_EQ(at("k"), last_first ? "first" : "second");
    EXPECT_FALSE(there("lease"));
  }
}

TEST_P(RawLease, AnEarlierLoadDoesNotRemoveALaterValue) {
  join('a');
  join('b');
  EXPECT_EQ(run("set", 'a', 2), "1");
  EXPECT_EQ(run("remove", 'a', 1), "2");
  EXPECT_EQ(at("k"), "new");
  EXPECT_FALSE(there("lease"));
}

TEST_P(RawLease, ALoadThatBeganLaterStoresAfterOneThatRemoved) {
  put("old");
  join('a');
  join('b');
  EXPECT_EQ(run("remove", 'a', 1), "1");
  EXPECT_FALSE(there("k"));
  EXPECT_EQ(run("set", 'a', 2), "1");
  EXPECT_EQ(at("k"), "new");
}

TEST_P(RawLease, WhatAnybodyDidAfterTheFirstOfSeveralLoadsStands) {
  join('a');
  join('b');
  EXPECT_EQ(run("set", 'a', 1), "1");
  put("other");
  EXPECT_EQ(run("set", 'a', 2), "0");
  EXPECT_EQ(at("k"), "other");
}

TEST_P(RawLease, IsGivenBackAndGoesWithItsLastHolder) {
  put("old");
  join('a');
  join('b');
  put("other");
  EXPECT_EQ(run("leave", 'b'), "0");
  EXPECT_EQ(holders(), "2");
  EXPECT_EQ(run("leave", 'a', 0, "0"), "1");
  EXPECT_EQ(holders(), "1");
  EXPECT_TRUE(lives("lease", 3'000));
  EXPECT_EQ(run("set", 'a', 9), "0") << "to give it back does not hide what was done to the entry";
  put("old");
  take('a');
  EXPECT_EQ(run("leave", 'a', 0, "0"), "1");
  EXPECT_FALSE(there("lease"));
  EXPECT_EQ(at("k"), "old");
}

TEST_P(RawLease, IsKeptForLonger) {
  take('a');
  EXPECT_EQ(run("keep", 'b'), "0");
  EXPECT_TRUE(lives("lease", 3'000));
  EXPECT_EQ(run("keep", 'a'), "1");
  EXPECT_TRUE(lives("lease", 60'000));
  EXPECT_EQ(at("lease"), name('a') + " 1 0 - 0");
  EXPECT_FALSE(there("k"));
}

TEST_P(RawLease, KnowsWhenTheEntryExpires) {
  command({"SET", "k", "old", "PX", "30"});
  take('a');
  EXPECT_TRUE(testing_support::eventually([&] { return !there("k"); }));
  EXPECT_EQ(run("set", 'a'), "1") << "nobody has removed it";
  EXPECT_EQ(at("k"), "new");
  for (const bool is_written : {false, true}) {
    command({"SET", "k", "old", "PX", is_written ? "30" : "60000"});
    take('a');
    EXPECT_TRUE(!is_written || testing_support::eventually([&] { return !there("k"); }));
    is_written ? command({"SET", "k", "other"}) : command({"DEL", "k"});
    EXPECT_EQ(run("set", 'a'), "0");
    EXPECT_EQ(there("k"), is_written);
  }
}

TEST_P(RawLease, WithoutALeaseNothingIsDone) {
  put("old");
  for (const std::string action : {"set", "remove", "leave", "keep"}) {
    EXPECT_EQ(run(action, 'a'), "0");
    EXPECT_EQ(at("k"), "old");
    EXPECT_FALSE(there("lease"));
  }
}

TEST_P(RawLease, WhatIsNoLeaseIsNobodys) {
  for (const std::string& bytes : {""s, "text"s, name('a'), name('a') + " 1 0", name('a') + " 1 0 - x"}) {
    command({"SET", "lease", bytes});
    EXPECT_EQ(run("set", 'a'), "0") << bytes;
    EXPECT_EQ(take('b'), name('b')) << bytes;
    EXPECT_EQ(at("lease"), name('b') + " 1 0 - 0");
  }
}

TEST_P(RawLease, AnEntryThatIsNoStringIsLeftAlone) {
  command({"RPUSH", "k", "x"});
  EXPECT_NE(take('a').find("WRONGTYPE"), std::string::npos);
  EXPECT_NE(take('a', "absent").find("WRONGTYPE"), std::string::npos);
  EXPECT_FALSE(there("lease"));
  command({"DEL", "k"});
  take('a');
  command({"RPUSH", "k", "x"});
  EXPECT_NE(run("set", 'a').find("WRONGTYPE"), std::string::npos);
  EXPECT_EQ(command({"LLEN", "k"}), "1");
  EXPECT_EQ(run("leave", 'a'), "1");
  EXPECT_FALSE(there("lease"));
}

struct RemoveOld : EntryScript {
  const std::string epoch{"\x07\0\0\0\0\0\0\0", 8};
  std::string remove_old() const { return eval(kRemoveOld, {"k"}, {epoch}); }
};
DSTA_FOR_ALL_RIGHTS(RemoveOld);

TEST_P(RemoveOld, LeavesLeasesAndWhatDependsOnThisEpoch) {
  const std::uint64_t before = 6;
  for (const std::string& kept :
       {value("k", 7), value("k", 7, std::string(1000, 'x')), value("k", 7, "v", token('a'), 9),
        as_first_version(value("k", 7)), as_first_version(value("k", 7, std::string(1000, 'x'))),
        encode_lease(token('a')), as_first_version(encode_lease(token('a'))),
        encode(Lease{token('a'), 2, {&before, 1}, {}})}) {
    put(kept);
    EXPECT_EQ(remove_old(), "0") << ::testing::PrintToString(kept);
    EXPECT_EQ(at("k"), kept);
  }
}

TEST_P(RemoveOld, RemovesWhatDependsOnAnotherEpochOrOnNone) {
  const std::uint64_t both[] = {7, 7};
  const std::string key = l2_store->keys().entry("k");
  for (const std::string& old :
       {value("k", 6), value("k", 8), value("k", 7 << 8), encode(Envelope{{}, {}, 0, {}, {}, "", key, epoch + epoch}),
        encode(Envelope{{}, {}, 0, both, {}, "", key, "v"})}) {
    for (const std::string& bytes : {old, as_first_version(old)}) {
      put(bytes);
      EXPECT_EQ(remove_old(), "1") << ::testing::PrintToString(bytes);
      EXPECT_FALSE(there("k"));
    }
  }
}

TEST_P(RemoveOld, RemovesWhatIsNoEntryAndTheLeasesOfRawValues) {
  for (const std::string& old : {"42"s, "raw"s, ""s, std::string(32, 'a') + " 1 0 -"}) {
    put(old);
    EXPECT_EQ(remove_old(), "1") << ::testing::PrintToString(old);
    EXPECT_FALSE(there("k"));
  }
  command({"RPUSH", "k", "x"});
  EXPECT_EQ(remove_old(), "1");
  EXPECT_FALSE(there("k"));
  EXPECT_EQ(remove_old(), "0") << "nothing there";
}

}  // namespace
}  // namespace dsta::cache::detail
