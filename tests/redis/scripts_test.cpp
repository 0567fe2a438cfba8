// The programs that the server runs in one step: each does what its comment says, and nothing to anything else.
#include "l2/scripts.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "remote_level.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::string_literals;

struct ReplaceIf : testing_support::RemoteLevel {
  std::string replace(const std::string& mark, const std::string& action, const std::string& life = "0",
                      const std::string& bytes = "new") const {
    return eval(kReplaceIf, "k", {mark, action, life, bytes});
  }
  void put(const std::string& bytes) const { command({"SET", "k", bytes}); }
  void put(const std::string& bytes, const std::string& life) const { command({"SET", "k", bytes, "PX", life}); }
};
struct RemoveOld : testing_support::RemoteLevel {
  const std::string epoch{"\x07\0\0\0\0\0\0\0", 8};
  void put(const std::string& bytes) const { command({"SET", "k", bytes}); }
  std::string remove_old() const { return eval(kRemoveOld, "k", {epoch}); }
};
using ScriptNames = testing_support::RemoteLevel;

TEST_F(ScriptNames, AreThoseByWhichTheServerKnowsTheTexts) {
  for (const Script* script : {&kReplaceIf, &kRaiseVersion, &kNeedVersion, &kRemoveOld}) {
    EXPECT_EQ(command({"SCRIPT", "LOAD", std::string(script->text)}), script->sha1) << script->text;
  }
}

TEST_F(ReplaceIf, WhoHoldsTheLeaseReplacesIt) {
  put(encode_lease(token('a')), "3000");
  EXPECT_EQ(replace(text(token('b')), "set"), "0");
  EXPECT_EQ(at("k"), encode_lease(token('a')));
  EXPECT_EQ(replace(text(token('a')), "set", "60000"), "1");
  EXPECT_EQ(at("k"), "new");
  EXPECT_TRUE(lives("k", 60'000));
  EXPECT_EQ(replace(text(token('a')), "set"), "0") << "and once";
}

TEST_F(ReplaceIf, AValueThatIsStoredForEverLivesLongerThanItsLeaseDid) {
  put(encode_lease(token('a')), "3000");
  EXPECT_EQ(replace(text(token('a')), "set", "0"), "1");
  EXPECT_EQ(life("k"), -1);
}

TEST_F(ReplaceIf, AValueIsKnownByItsChecksum) {
  const std::string old = value("k", 1, "old"), other = value("k", 1, "other");
  put(old);
  EXPECT_EQ(replace(other.substr(other.size() - 8), "set"), "0");
  EXPECT_EQ(at("k"), old);
  EXPECT_EQ(replace(old.substr(old.size() - 8), "set", "60000", other), "1");
  EXPECT_EQ(at("k"), other);
  EXPECT_TRUE(lives("k", 60'000));
}

TEST_F(ReplaceIf, WhereNothingIsNothingIsReplaced) {
  EXPECT_EQ(replace(text(token('a')), "set"), "0");
  EXPECT_EQ(replace("12345678", "set"), "0");
  EXPECT_EQ(replace("12345678", "drop"), "0");
  EXPECT_FALSE(there("k"));
}

TEST_F(ReplaceIf, DropsOnlyWhatItNames) {
  put(encode_lease(token('a')));
  EXPECT_EQ(replace(text(token('b')), "drop"), "0");
  EXPECT_TRUE(there("k"));
  EXPECT_EQ(replace(text(token('a')), "drop"), "1");
  EXPECT_FALSE(there("k"));
}

TEST_F(ReplaceIf, KeepsALeaseForLongerAsItIs) {
  put(encode_lease(token('a')), "1000000");
  EXPECT_EQ(replace(text(token('b')), "keep", "60000"), "0");
  EXPECT_TRUE(lives("k", 1'000'000));
  EXPECT_EQ(replace(text(token('a')), "keep", "60000"), "1");
  EXPECT_TRUE(lives("k", 60'000));
  EXPECT_EQ(at("k"), encode_lease(token('a')));
}

TEST_F(ReplaceIf, TheTokenIsLookedForInALeaseAlone) {
  std::string value = encode_lease(token('a'));
  value[4] = 1;  // the kind
  put(value);
  EXPECT_EQ(replace(text(token('a')), "set"), "0");
  put("text that ends in "s + text(token('a')));
  EXPECT_EQ(replace(text(token('a')), "set"), "0");
}

TEST_F(ReplaceIf, WhatIsNoStringIsLeftAlone) {
  command({"RPUSH", "k", "x"});
  EXPECT_NE(replace("12345678", "set").find("WRONGTYPE"), std::string::npos);
  EXPECT_EQ(command({"LLEN", "k"}), "1");
}

TEST_F(RemoveOld, LeavesLeasesAndWhatDependsOnThisEpoch) {
  for (const std::string& kept : {value("k", 7), value("k", 7, std::string(1000, 'x')), encode_lease(token('a'))}) {
    put(kept);
    EXPECT_EQ(remove_old(), "0");
    EXPECT_EQ(at("k"), kept);
  }
}

TEST_F(RemoveOld, RemovesWhatDependsOnAnotherEpochOrOnNoneOrIsNoEntry) {
  const std::uint64_t both[] = {7, 7};
  const std::string key = remote->keys().entry("k");
  for (const std::string& old :
       {value("k", 6), value("k", 8), value("k", 7 << 8), encode(Envelope{{}, {}, {}, "", key, epoch + epoch}),
        encode(Envelope{{}, both, {}, "", key, "v"}), "42"s, "raw"s, ""s}) {
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
