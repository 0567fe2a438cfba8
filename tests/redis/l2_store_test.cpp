// L2 on one server: entries and leases, and how it calls scripts that the server has forgotten.
#include "l2/values/l2_store.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "l2_store_test.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using Action = EntryAction;
using L2StoreEntries = testing_support::L2StoreTest;
using Kind = Found::Kind;

/// What a program in another language would call by hand.
LoadClaim of(const LeaseToken& generation, std::uint32_t order = 0) { return {generation, order, {}}; }

std::vector<Done::Status> statuses(const std::vector<Done>& all) {
  std::vector<Done::Status> out;
  for (const Done& done : all) out.push_back(done.status);
  return out;
}

TEST_F(L2StoreEntries, WhatIsPutIsReadBackAndLivesForItsTtl) {
  const EntryWriter::Put puts[] = {{"a", value("a"), 60s}, {"b", value("b"), 0s}, {"\x01z", value("\x01z"), 1us}};
  EXPECT_EQ(statuses(l2_store->writer().put({puts, 2}, {}, nullptr)), (std::vector{Done::yes, Done::yes}));
  EXPECT_EQ(found("a").kind, Kind::value);
  EXPECT_EQ(found("a").view.payload, "v");
  EXPECT_TRUE(lives("dsta:a", 60'000));
  EXPECT_EQ(life("dsta:b"), -1);
  EXPECT_EQ(statuses(l2_store->writer().put({puts + 2, 1}, {}, nullptr)), std::vector{Done::yes})
      << "less than a millisecond is one, which is the least that the server knows";
}

TEST_F(L2StoreEntries, ReadsWhateverMayStandUnderAKey) {
  command({"SET", "dsta:value", value("value")});
  command({"SET", "dsta:lease", encode_lease(token('a'))});
  command({"SET", "dsta:counter", "42"});
  command({"SET", "dsta:moved", value("value")});
  command({"RPUSH", "dsta:list", "x"});
  EntryQuery queries[] = {{"value"}, {"lease"}, {"counter"}, {"moved"}, {"list"}, {"nothing"}};
  Versions versions;
  ASSERT_TRUE(l2_store->reader().read(queries, {}, versions));
  EXPECT_EQ(queries[0].found.kind, Kind::value);
  EXPECT_EQ(queries[1].found.kind, Kind::lease);
  EXPECT_EQ(queries[1].found.lease.token, token('a'));
  EXPECT_EQ(queries[2].found.kind, Kind::other);
  EXPECT_EQ(queries[2].found.bytes, "42");
  EXPECT_EQ(queries[3].found.decode_error, DecodeError::other_key);
  EXPECT_NE(queries[4].found.kind, Kind::value);
  EXPECT_EQ(queries[5].found.kind, Kind::nothing);
  EXPECT_TRUE(failures.empty());
}

TEST_F(L2StoreEntries, ALeaseIsTakenWhereNothingIsAndByOneAlone) {
  command({"SET", "dsta:value", value("value")});
  const std::string_view names[] = {"free", "value", "free"};
  const std::string leases[] = {encode_lease(token('a')), encode_lease(token('b')), encode_lease(token('c'))};
  const auto done = l2_store->leases().take(names, leases, 60s);
  EXPECT_EQ(statuses(done), (std::vector{Done::yes, Done::no, Done::no}));
  EXPECT_EQ(done[1].why, "") << "no failure: somebody was faster";
  EXPECT_EQ(found("free").lease.token, token('a'));
  EXPECT_TRUE(lives("dsta:free", 60'000));
  EXPECT_EQ(found("value").kind, Kind::value);
}

TEST_F(L2StoreEntries, ARefreshIsOnesUntilItsLeaseEnds) {
  EXPECT_TRUE(l2_store->leases().take_for_refresh({{"k", 5, token('a')}}, 60s)[0]);
  EXPECT_FALSE(l2_store->leases().take_for_refresh({{"k", 5, token('b')}}, 60s)[0]);
  EXPECT_TRUE(l2_store->leases().take_for_refresh({{"other", 5, token('b')}}, 60s)[0]);
  EXPECT_TRUE(lives(l2_store->keys().refresh_lease("k", 5), 60'000));
  EXPECT_TRUE(l2_store->leases().take_for_refresh({{"k", 6, token('b')}}, 60s)[0]) << "of a later value";
  EXPECT_EQ(found("k").kind, Kind::nothing) << "it stands beside the entry";
}

TEST_F(L2StoreEntries, ReplacesWhatIsStillThere) {
  for (const std::string key : {"a", "b", "c", "d", "e"}) command({"SET", "dsta:" + key, encode_lease(token(key[0]))});
  command({"SET", "dsta:old", value("old", 1, "v", token('o'), 5)});
  command({"SET", "dsta:seen", "12345678"});
  command({"RPUSH", "dsta:list", "x"});
  const auto wrong = of(token('x'));
  const LeaseStore::Replace replaces[] = {
      {"dsta:a", of(token('a')), Action::set, 60s, "new"}, {"dsta:b", of(token('b')), Action::leave},
      {"dsta:c", of(token('c')), Action::keep, 60s},       {"dsta:d", wrong, Action::set, 0s, "new"},
      {"dsta:e", of(token('e')), Action::join, 60s},       {"dsta:old", of(token('o'), 4), Action::set, 0s, "new"},
      {"dsta:old", of(token('o'), 5), Action::remove},     {"dsta:seen", {{}, 0, "12345678"}, Action::set, 0s, "new"},
      {"dsta:list", wrong, Action::set, 0s, "new"}};
  const auto done = l2_store->leases().replace(replaces);
  EXPECT_EQ(statuses(done), (std::vector{Done::yes, Done::yes, Done::yes, Done::no, Done::yes, Done::overtaken,
                                         Done::yes, Done::yes, Done::no}));
  EXPECT_EQ(done[3].why, "") << "no failure: something else stands there";
  EXPECT_NE(done[8].why, "");
  EXPECT_EQ(at("dsta:a"), "new");
  EXPECT_FALSE(there("dsta:b"));
  EXPECT_TRUE(lives("dsta:c", 60'000));
  EXPECT_EQ(found("d").lease.token, token('d'));
  EXPECT_EQ(found("e").lease.holders, 2u);
  EXPECT_FALSE(there("dsta:old"));
  EXPECT_EQ(at("dsta:seen"), "new");
}

TEST_F(L2StoreEntries, AClaimOnNothingHasNothing) {
  command({"SET", "dsta:a", encode_lease({})});
  const LeaseStore::Replace replace{"dsta:a", {}, Action::set, 0s, "new"};
  EXPECT_EQ(statuses(l2_store->leases().replace({&replace, 1})), std::vector{Done::no}) << "zeros are nobody's name";
}

TEST_F(L2StoreEntries, ManualRefreshesAreNumberedAcrossProcesses) {
  L2Store other(options());
  std::uint32_t last = 0;
  for (int i = 0; i < 6; ++i) {
    EntryQuery queries[] = {{.name = "k", .orders = true}, {.name = "other"}};
    Versions versions;
    ASSERT_TRUE((i % 2 == 0 ? *l2_store : other).reader().read(queries, {}, versions));
    EXPECT_GT(queries[0].order, last);
    last = queries[0].order;
    EXPECT_EQ(queries[1].order, 0u);
    EXPECT_TRUE(lives(l2_store->keys().order("k"), 86'400'000)) << "from the last on";
    command({"PEXPIRE", l2_store->keys().order("k"), "1000000"});
  }
  EXPECT_EQ(at(l2_store->keys().order("k")), std::to_string(last));
  EXPECT_FALSE(there(l2_store->keys().order("other")));
}

TEST_F(L2StoreEntries, ACountOfRefreshesThatWasLostBeginsAboveTheValue) {
  command({"SET", "dsta:k", value("k", 1, "v", token('a'), 7)});
  for (const std::string lost : {"0", "3", "6"}) {
    command({"SET", l2_store->keys().order("k"), lost});
    std::uint32_t last = 7;
    for (int i = 0; i < 3; ++i) {
      EntryQuery query{.name = "k", .orders = true};
      Versions versions;
      ASSERT_TRUE(l2_store->reader().read({&query, 1}, {}, versions));
      EXPECT_GT(query.order, last);
      last = query.order;
    }
    EXPECT_EQ(at(l2_store->keys().order("k")), std::to_string(last));
  }
}

TEST_F(L2StoreEntries, ARawValuesLeaseStandsBesideIt) {
  command({"SET", "dsta:k", "42"});
  const auto a = token('a'), b = token('b');
  EXPECT_EQ(take_raw_lease("k", a, false, LeaseStore::kAbsent), LeaseToken{}) << "it was said to be absent";
  EXPECT_EQ(take_raw_lease("k", a), a);
  EXPECT_EQ(take_raw_lease("k", b), a) << "whose it is";
  EXPECT_EQ(take_raw_lease("k", b, true), a);
  EXPECT_TRUE(lives(l2_store->keys().raw_lease("k"), 60'000));
  EXPECT_EQ(at("dsta:k"), "42");
  const LeaseStore::RawReplace replaces[] = {{"k", of(b), Action::set, 0s, "b"},
                                             {"k", of(a), Action::keep, 90s},
                                             {"k", of(a, 2), Action::set, 60s, "second"},
                                             {"k", of(a, 1), Action::set, 60s, "first"},
                                             {"k", of(a, 3), Action::set, 60s, "third"}};
  EXPECT_EQ(statuses(l2_store->leases().replace_raw(replaces)),
            (std::vector{Done::no, Done::yes, Done::yes, Done::overtaken, Done::no}));
  EXPECT_EQ(at("dsta:k"), "second");
  EXPECT_FALSE(there(l2_store->keys().raw_lease("k"))) << "both of its holders have ended";
}

TEST_F(L2StoreEntries, EveryByteOfARawLeasesNameComesBack) {
  LeaseToken token;
  for (std::size_t i = 0; i < token.size(); ++i) token[i] = static_cast<char>(17 * i + (i % 2 == 0 ? 0 : 0xe0));
  EXPECT_EQ(take_raw_lease("k", token), token);
  EXPECT_EQ(take_raw_lease("k", LeaseToken{}), token);
}

TEST_F(L2StoreEntries, WhoSetsOrRemovesARawValueEndsTheLoadsOfIt) {
  const auto take = [&](std::string_view name) { EXPECT_EQ(take_raw_lease(name, token('a')), token('a')); };
  const auto is_over = [&](std::string_view name) {
    const LeaseStore::RawReplace store{name, of(token('a')), Action::set, 0s, "loaded"};
    return l2_store->leases().replace_raw({&store, 1})[0].status == Done::no &&
           !there(l2_store->keys().raw_lease(name));
  };
  command({"SET", "dsta:k", "same"});
  take("k");
  EXPECT_TRUE(l2_store->writer().put_raw(std::vector<EntryWriter::Put>{{"k", "same", 60s}})[0]);
  EXPECT_TRUE(is_over("k")) << "although the bytes are those that the lease knows";
  EXPECT_EQ(at("dsta:k"), "same");
  Found before;
  take("gone");
  EXPECT_TRUE(l2_store->remover().remove("gone", before));
  EXPECT_TRUE(is_over("gone"));
  take("a");
  take("b");
  const std::string_view names[] = {"a", "b"};
  EXPECT_TRUE(l2_store->remover().remove_many(names));
  EXPECT_TRUE(is_over("a"));
  EXPECT_TRUE(is_over("b"));
  for (const std::string_view name : {"gone", "a", "b"}) EXPECT_FALSE(there(l2_store->keys().entry(name)));
}

TEST_F(L2StoreEntries, ALeaseIsGivenBackAndNobodyElses) {
  command({"SET", "dsta:mine", encode_lease(token('a'))});
  command({"SET", "dsta:theirs", encode_lease(token('b'))});
  command({"SET", "dsta:both", encode(Lease{token('a'), 2, {}, {}})});
  for (const std::string key : {"dsta:mine", "dsta:theirs", "dsta:both", "dsta:none"}) {
    EXPECT_TRUE(l2_store->leases().give_back(key, token('a'))) << key;
  }
  EXPECT_FALSE(there("dsta:mine"));
  EXPECT_EQ(found("theirs").lease.token, token('b'));
  EXPECT_EQ(found("both").lease.holders, 1u);
  ASSERT_EQ(take_raw_lease("k", token('a')), token('a'));
  const auto leave = [&](const LeaseToken& generation) {
    const LeaseStore::RawReplace one{"k", of(generation), Action::leave};
    return l2_store->leases().replace_raw({&one, 1})[0].status;
  };
  EXPECT_EQ(leave(token('b')), Done::no);
  EXPECT_TRUE(there(l2_store->keys().raw_lease("k")));
  EXPECT_EQ(leave(token('a')), Done::yes);
  EXPECT_FALSE(there(l2_store->keys().raw_lease("k")));
}

TEST_F(L2StoreEntries, ALeaseIsGivenBackByWhatTheUserMayRun) {
  for (const std::string rights : {"+@all -unlink", "+@all -eval -evalsha", "+@all -pexpire -eval -evalsha"}) {
    SCOPED_TRACE(rights);
    command({"SET", "dsta:mine", encode_lease(token('a'))});
    command({"SET", "dsta:theirs", encode_lease(token('b'))});
    become(rights);
    EXPECT_TRUE(l2_store->leases().give_back("dsta:mine", token('a')));
    EXPECT_TRUE(l2_store->leases().give_back("dsta:theirs", token('a')));
    EXPECT_TRUE(there("dsta:theirs"));
    // A millisecond of life is as good.
    EXPECT_TRUE(!there("dsta:mine") || life("dsta:mine") <= 1);
  }
}

TEST_F(L2StoreEntries, NoLeaseIsTakenForAWhileOnceItIsForbidden) {
  EXPECT_TRUE(l2_store->leases().may_lease());
  become("+@all -set -pexpire");
  command({"SET", "dsta:k", encode_lease(token('a'))});
  const LeaseStore::Replace keep{"dsta:k", of(token('a')), Action::keep, 60s};
  EXPECT_FALSE(l2_store->leases().replace({&keep, 1})[0]);
  EXPECT_TRUE(l2_store->leases().may_lease()) << "a renewal that is refused says nothing of storing";
  const LeaseStore::Replace store{"dsta:k", of(token('a')), Action::set, 0s, "v"};
  EXPECT_TRUE(l2_store->leases().replace({&store, 1})[0].forbidden);
  EXPECT_FALSE(l2_store->leases().may_lease());
}

TEST_F(L2StoreEntries, WithoutScriptsNoLeaseIsTaken) {
  for (const bool raw : {false, true}) {
    become("+@all -eval -evalsha");
    EXPECT_TRUE(l2_store->leases().may_lease()) << "it is not known";
    if (raw) {
      const LeaseStore::RawReplace store{"k", of(token('a')), Action::set, 0s, "v"};
      EXPECT_TRUE(l2_store->leases().replace_raw({&store, 1})[0].forbidden);
    } else {
      const LeaseStore::Replace keep{"dsta:k", of(token('a')), Action::keep, 60s};
      EXPECT_FALSE(l2_store->leases().replace({&keep, 1})[0]);
    }
    EXPECT_FALSE(l2_store->leases().may_lease());
  }
}

TEST_F(L2StoreEntries, WhatTheDocsListIsEnoughForEverything) {
  become(
      "-@all +get +mget +set +getrange +unlink +scan +incrby +pttl +multi +exec +eval +evalsha +time +echo +ping +type "
      "+pexpire +persist");
  const LeaseToken a = token('a');
  const std::vector<std::string> dependencies{"tag", function_dependency("f")};
  Versions versions;
  ASSERT_TRUE(l2_store->versions().need(dependencies, 60s, versions));
  ASSERT_TRUE(l2_store->versions().guess(dependencies, 600s, versions));
  EXPECT_TRUE(l2_store->versions().raise("tag", true));
  EXPECT_TRUE(l2_store->versions().raise(dependencies[1], false));
  const VersionStore::Needed needed[] = {{dependencies[0], 60s}, {dependencies[1], 60s}};
  EXPECT_TRUE(l2_store->versions().ask_late(needed, true));
  l2_store->versions().keep_alive();
  const std::string_view names[] = {"k"};
  const std::string leases[] = {encode_lease(a)};
  EXPECT_TRUE(l2_store->leases().take(names, leases, 60s)[0]);
  for (const Action action : {Action::keep, Action::join, Action::leave, Action::set, Action::keep, Action::remove}) {
    const LeaseStore::Replace replace{"dsta:k", of(a), action, 60s, value("k", 1, "v", a)};
    EXPECT_TRUE(l2_store->leases().replace({&replace, 1})[0]) << static_cast<int>(action);
  }
  EXPECT_EQ(take_raw_lease("r", a, false, LeaseStore::kAbsent), a);
  EXPECT_EQ(take_raw_lease("r", a, true, LeaseStore::kAbsent), a);
  for (const Action action : {Action::keep, Action::leave, Action::set}) {
    const LeaseStore::RawReplace replace{"r", of(a), action, 60s, "v"};
    EXPECT_TRUE(l2_store->leases().replace_raw({&replace, 1})[0]) << static_cast<int>(action);
  }
  EXPECT_TRUE(l2_store->leases().take_for_refresh({{"k", 5, a}}, 60s)[0]);
  EXPECT_TRUE(l2_store->leases().give_back(l2_store->keys().refresh_lease("k", 5), a));
  const EntryWriter::Put put{"p", value("p"), 60s};
  EXPECT_TRUE(l2_store->writer().put({&put, 1}, dependencies, &versions)[0]);
  EXPECT_TRUE(l2_store->writer().put_raw(std::vector<EntryWriter::Put>{{"r", "v", 60s}})[0]);
  EXPECT_EQ(l2_store->writer().increment("n", 2, 60s).value, 2);
  EXPECT_TRUE(l2_store->reader().life_left("n"));
  EntryQuery query{.name = "p", .orders = true};
  EXPECT_TRUE(l2_store->reader().read({&query, 1}, dependencies, versions));
  EXPECT_EQ(query.order, 1u);
  EXPECT_TRUE(l2_store->remover().remove_matching(*glob_pattern("p*"), [](auto) {}));
  EXPECT_TRUE(l2_store->versions().raise_epoch());
  EXPECT_TRUE(l2_store->remover().remove_old(*glob_pattern("*")));
  Found before;
  EXPECT_TRUE(l2_store->remover().remove("k", before));
  EXPECT_TRUE(l2_store->remover().remove_many(names));
  EXPECT_TRUE(failures.empty()) << failures.front();
}

TEST_F(L2StoreEntries, WhoMayNotCallScriptsByNameSendsTheirTexts) {
  become("+@all -evalsha");
  command({"SET", "dsta:k", encode_lease(token('a'))});
  const LeaseStore::Replace keep{"dsta:k", of(token('a')), Action::keep, 60s};
  for (int round = 0; round < 2; ++round) EXPECT_TRUE(l2_store->leases().replace({&keep, 1})[0]);
  EXPECT_TRUE(l2_store->versions().raise("tag", true));
  EXPECT_TRUE(parse_version(at(l2_store->keys().version("tag"))));
  EXPECT_EQ(take_raw_lease("k", token('a'), true), token('a'));
}

TEST_F(L2StoreEntries, AForgottenScriptIsSentAgainWithItsText) {
  command({"SET", "dsta:a", encode_lease(token('a'))});
  command({"SET", "dsta:old", value("old")});
  const LoadClaim a = of(token('a'));
  const auto forget = [&] { EXPECT_EQ(command({"SCRIPT", "FLUSH"}), "OK"); };
  for (int round = 0; round < 2; ++round) {
    forget();
    const LeaseStore::Replace both[] = {{"dsta:a", a, Action::keep, 60s}, {"dsta:none", a, Action::set, 0s, "new"}};
    EXPECT_EQ(statuses(l2_store->leases().replace(both)), (std::vector{Done::yes, Done::no}));
    forget();
    EXPECT_TRUE(l2_store->versions().raise("tag", true));
    forget();
    Versions versions;
    const std::vector<std::string> dependencies{"tag", "another"};
    EXPECT_TRUE(l2_store->versions().need(dependencies, 60s, versions));
    EXPECT_EQ(*versions.find("tag"), parse_version(at(l2_store->keys().version("tag"))));
    EXPECT_TRUE(*versions.find("another"));
    forget();
    EXPECT_EQ(take_raw_lease("raw", token('a'), true), token('a'));
    forget();
    EXPECT_TRUE(l2_store->remover().remove_old(*glob_pattern("*")));
    EXPECT_FALSE(there("dsta:old"));
  }
  EXPECT_TRUE(failures.empty()) << failures.front();
}

TEST_F(L2StoreEntries, WithoutAServerEverythingSaysNoAndWhy) {
  server->stop();
  Versions versions;
  const EntryWriter::Put puts[] = {{"a", "v", 0s}};
  EXPECT_FALSE(l2_store->writer().put(puts, {}, nullptr)[0]);
  EXPECT_NE(l2_store->writer().put(puts, {}, nullptr)[0].why, "");
  EXPECT_FALSE(l2_store->versions().raise("tag", true));
  EXPECT_FALSE(l2_store->versions().need({}, 60s, versions));
  EXPECT_FALSE(l2_store->remover().remove_old(*glob_pattern("*")));
  EXPECT_FALSE(l2_store->writer().increment("n", 1, 0s).done);
  EXPECT_FALSE(l2_store->leases().take_for_refresh({{"k", 5, token('a')}}, 60s)[0]);
  EntryQuery query{"k"};
  EXPECT_FALSE(l2_store->reader().read({&query, 1}, {}, versions));
  EXPECT_EQ(take_raw_lease("k", token('a')), std::nullopt);
  EXPECT_EQ(l2_store->versions().clock(), 0u);
  const VersionStore::Needed late[] = {{"tag", 60s}};
  EXPECT_FALSE(l2_store->versions().ask_late(late, true));
  EXPECT_FALSE(l2_store->leases().give_back("dsta:k", token('a'))) << "to be tried again";
  EXPECT_FALSE(failures.empty()) << "and is counted";
}

}  // namespace
}  // namespace dsta::cache::detail
