// The flights of a shard by key.
#include "l1/flight_map.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace dsta::cache::detail {
namespace {

struct FlightMapTest : ::testing::Test {
  std::shared_ptr<Flight> flight(std::uint64_t hash, const std::string& name = "key") {
    return std::make_shared<Flight>(KeyView{name, {}, hash}, spec, std::vector<std::string>{}, 0);
  }
  std::vector<const Flight*> of(std::uint64_t hash, const std::string& name = "key") const {
    std::vector<const Flight*> found;
    map.each(KeyView{name, {}, hash}, [&](const std::shared_ptr<Flight>& one) { found.push_back(one.get()); });
    return found;
  }

  LoadSpec spec;
  FlightMap map;
};

TEST_F(FlightMapTest, FindsAllFlightsOfAKeyAndNoOthers) {
  const auto one = flight(1), two = flight(1), other_name = flight(1, "other"), other_hash = flight(257);
  for (const auto& each : {one, two, other_name, other_hash}) map.add(each);
  EXPECT_THAT(of(1), ::testing::UnorderedElementsAre(one.get(), two.get()));
  EXPECT_THAT(of(1, "other"), ::testing::ElementsAre(other_name.get()));
  EXPECT_LT(one->state.number, two->state.number) << "in the order in which they were added";
}

TEST_F(FlightMapTest, GivesBackItsReferenceWhenOneIsRemoved) {
  const auto one = flight(1);
  map.add(one);
  EXPECT_EQ(map.remove(*one), one);
  EXPECT_EQ(one.use_count(), 1);
  EXPECT_EQ(map.remove(*one), nullptr) << "it is not there any more";
  EXPECT_TRUE(map.empty());
}

TEST_F(FlightMapTest, KeepsEveryFlightThroughABurstAndAfterIt) {
  std::vector<std::shared_ptr<Flight>> all;
  for (int burst = 0; burst < 2; ++burst) {
    for (std::uint64_t i = 0; i < 5'000; ++i) map.add(all.emplace_back(flight(i << 8)));
    std::size_t visited = 0;
    map.each([&](const std::shared_ptr<Flight>&) { ++visited; });
    EXPECT_EQ(visited, all.size());
    for (const auto& one : all) ASSERT_THAT(of(one->hash), ::testing::Contains(one.get()));
    for (const auto& one : all) ASSERT_EQ(map.remove(*one), one);
    all.clear();
    EXPECT_TRUE(map.empty());
  }
}

}  // namespace
}  // namespace dsta::cache::detail
