// Counters at L2: plain numbers of the server, which live from when they were made.
#include <gtest/gtest.h>

#include <string>

#include "l2/values/l2_store.hpp"
#include "l2_store_test.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using L2StoreCounter = testing_support::L2StoreTest;
using Refused = EntryWriter::Counted::Refused;

TEST_F(L2StoreCounter, CountsFromNothing) {
  EXPECT_EQ(l2_store->writer().increment("n", 5, 0s).value, 5);
  EXPECT_EQ(l2_store->writer().increment("n", -7, 0s).value, -2);
  EXPECT_EQ(at("dsta:n"), "-2");
  EXPECT_EQ(life("dsta:n"), -1);
  EXPECT_EQ(l2_store->writer().increment("m", 1, 60s).value, 1);
}

TEST_F(L2StoreCounter, ItsLifeBeginsWhenItIsMade) {
  ASSERT_TRUE(l2_store->writer().increment("n", 1, 60s).done);
  EXPECT_TRUE(lives("dsta:n", 60'000));
  EXPECT_EQ(l2_store->writer().increment("n", 1, 1h).value, 2);
  EXPECT_TRUE(lives("dsta:n", 60'000)) << "it is not put off";
  EXPECT_EQ(l2_store->writer().increment("n", 1, 0s).value, 3);
  EXPECT_TRUE(lives("dsta:n", 60'000));
}

TEST_F(L2StoreCounter, WhatIsNoNumberIsRefusedAndLeftAsItIs) {
  command({"SET", "dsta:text", "text"});
  command({"SET", "dsta:value", value("value")});
  command({"RPUSH", "dsta:list", "x"});
  for (const Duration life : {Duration(0s), Duration(60s)}) {
    for (const std::string name : {"text", "value"}) {
      const auto counted = l2_store->writer().increment(name, 1, life);
      EXPECT_EQ(counted.refused, Refused::no_integer) << name;
      EXPECT_FALSE(counted.done);
    }
    EXPECT_EQ(l2_store->writer().increment("list", 1, life).refused, Refused::other_type);
  }
  EXPECT_EQ(at("dsta:text"), "text");
  EXPECT_EQ(at("dsta:value"), value("value"));
  EXPECT_EQ(command({"LLEN", "dsta:list"}), "1");
  EXPECT_TRUE(failures.empty()) << "the server did what it should";
}

TEST_F(L2StoreCounter, WhatWouldOverflowIsRefusedAndLeftAsItIs) {
  command({"SET", "dsta:n", "9223372036854775807"});
  for (const Duration life : {Duration(0s), Duration(60s)}) {
    EXPECT_EQ(l2_store->writer().increment("n", 1, life).refused, Refused::overflow);
  }
  EXPECT_EQ(at("dsta:n"), "9223372036854775807");
  EXPECT_EQ(l2_store->writer().increment("n", -1, 0s).value, 9223372036854775806);
}

TEST_F(L2StoreCounter, RawValuesAreStoredAsTheyAre) {
  EXPECT_TRUE(l2_store->writer().put_raw(std::vector<EntryWriter::Put>{{"raw", "text", 60s}})[0]);
  EXPECT_EQ(at("dsta:raw"), "text");
  EXPECT_LE(l2_store->reader().life_left("raw").value(), 60'000);
  EXPECT_GT(l2_store->reader().life_left("raw").value(), 50'000);
  EXPECT_TRUE(l2_store->writer().put_raw(std::vector<EntryWriter::Put>{{"raw", "", 0s}})[0]);
  EXPECT_EQ(l2_store->reader().life_left("raw"), -1);
  EXPECT_EQ(l2_store->reader().life_left("nothing"), -2);
}

}  // namespace
}  // namespace dsta::cache::detail
