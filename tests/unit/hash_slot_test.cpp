#include "l2/topology/hash_slot.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "cluster_view.hpp"
#include "l2/values/keyspace.hpp"
#include "random_values.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::RandomValues;
using testing_support::scaled;

TEST(HashSlot, IsThatOfTheSpecification) {
  EXPECT_EQ(slot_of("123456789"), 0x31C3 % kSlots);
  EXPECT_EQ(slot_of(""), 0);
  EXPECT_EQ(slot_of("{user1000}.following"), slot_of("user1000"));
  EXPECT_EQ(slot_of("{user1000}.followers"), slot_of("user1000"));
  EXPECT_EQ(hash_tag("foo{}{bar}"), "foo{}{bar}");
  EXPECT_EQ(hash_tag("foo{{bar}}zap"), "{bar");
  EXPECT_EQ(hash_tag("foo{bar}{zap}"), "bar");
  EXPECT_EQ(hash_tag("foo{bar"), "foo{bar");
  EXPECT_EQ(hash_tag("foo}bar{"), "foo}bar{");
  EXPECT_EQ(hash_tag("}{a}"), "a");
  EXPECT_EQ(slot_of("foo"), 12182);
  EXPECT_EQ(slot_of("bar"), 5061);
}

TEST(HashSlot, EachSlotHasATag) {
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    const std::string tag = tag_of(static_cast<Slot>(slot));
    ASSERT_EQ(tag.size(), 3u);
    ASSERT_EQ(tag.find_first_of("{}"), tag.npos);
    ASSERT_EQ(slot_of("dsta:{" + tag + "}x"), slot);
  }
}

std::string braced(RandomValues& random) {
  static constexpr std::array<std::string_view, 7> kPieces = {"{", "}", "{}", "a", "raw:", "\x01", "dsta:"};
  std::string name;
  for (std::size_t left = random.below(8); left != 0; --left) name += random.pick(kPieces);
  return name;
}

TEST(HashSlot, KeysBesideAnEntryHaveItsSlot) {
  const KeySpace keys("dsta", true);
  RandomValues random(7);
  for (std::size_t left = scaled(20'000); left != 0; --left) {
    const std::string name = random.one_in(4) ? random.value<std::string>() : braced(random);
    const Slot slot = slot_of(keys.entry(name));
    const std::string shown = ::testing::PrintToString(name);
    ASSERT_EQ(slot, testing_support::slot_of(keys.entry(name))) << shown;
    ASSERT_EQ(testing_support::slot_of(keys.raw_lease(name)), slot) << shown;
    ASSERT_EQ(testing_support::slot_of(keys.order(name)), slot) << shown;
    ASSERT_EQ(testing_support::slot_of(keys.refresh_lease(name, 7)), slot) << shown;
    ASSERT_EQ(testing_support::slot_of(keys.upload("token", keys.entry(name))), slot) << shown;
    const std::string beside = keys.raw_lease(name), entry = keys.entry(name);
    const auto lease = keys.parse(beside);
    ASSERT_EQ(lease.kind, KeySpace::Kind::raw_lease) << shown;
    ASSERT_EQ(lease.name, name);
    ASSERT_EQ(keys.parse(entry).kind, KeySpace::Kind::entry);
    ASSERT_EQ(keys.parse(entry).name, name);
  }
}

TEST(HashSlot, KeysOfTheNamespaceShareOne) {
  const KeySpace keys("dsta", true);
  RandomValues random(8);
  EXPECT_EQ(keys.home(), slot_of("dsta"));
  for (const std::string& key : {keys.epoch(), keys.clock(), keys.raw_marker(), keys.listener(), keys.probe()}) {
    EXPECT_EQ(slot_of(key), keys.home()) << key;
  }
  for (std::size_t left = scaled(5'000); left != 0; --left) {
    const std::string name = braced(random);
    const std::string version = keys.version(name);
    ASSERT_EQ(slot_of(version), keys.home());
    ASSERT_EQ(slot_of(keys.copy(version)), keys.home());
    ASSERT_EQ(slot_of(keys.notice("t1", name)), keys.home());
    ASSERT_EQ(keys.parse(version).kind, KeySpace::Kind::version);
    ASSERT_EQ(keys.parse(version).name, name);
    const std::string noticed = keys.notice("t1", name);
    const auto notice = keys.parse(noticed);
    ASSERT_EQ(notice.kind, KeySpace::Kind::notice);
    ASSERT_EQ(notice.name, name);
    ASSERT_EQ(notice.token, "t1");
  }
  EXPECT_EQ(keys.parse(keys.epoch()).kind, KeySpace::Kind::epoch);
  EXPECT_EQ(keys.parse(keys.listener()).kind, KeySpace::Kind::listener);
  EXPECT_EQ(slot_of(keys.probe(77)), 77);
}

TEST(HashSlot, EntriesHaveTheNamesThatASingleServerHas) {
  for (const char* const name : {"a", "{a}b", "", "\x01z"}) {
    EXPECT_EQ(KeySpace("dsta", true).entry(name), KeySpace("dsta").entry(name));
  }
}

}  // namespace
}  // namespace dsta::cache::detail
