// What the server's answers make of the claims of loads.
#include "load/claim.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace dsta::cache::detail {
namespace {

TEST(ClaimResult, IsWhatTheServersAnswerSays) {
  EXPECT_EQ(claim_result({Done::yes}), ClaimResult::taken);
  EXPECT_EQ(claim_result({Done::no}), ClaimResult::conflict) << "something else stands there";
  EXPECT_EQ(claim_result({Done::overtaken}), ClaimResult::conflict);
  EXPECT_EQ(claim_result({Done::no, "OOM"}), ClaimResult::refused);
  EXPECT_EQ(claim_result({Done::unknown}), ClaimResult::unknown);
  EXPECT_EQ(claim_result({Done::unknown, "timeout"}), ClaimResult::unknown) << "a reason does not make it refused";
}

TEST(Claim, IsKnownAtTheServerByItsGenerationOrderAndMark) {
  Claim claim;
  claim.generation[0] = 'g';
  claim.order = 3;
  claim.mark = "mark";
  const LoadClaim at_server = claim.at_server();
  EXPECT_EQ(at_server.generation, claim.generation);
  EXPECT_EQ(at_server.order, 3u);
  EXPECT_EQ(at_server.mark, "mark");
}

TEST(OwnedLoads, KeepItemFlightAndClaimTogether) {
  OwnedLoads owned;
  EXPECT_TRUE(owned.empty());
  const KeyView key{"k", {}, 1};
  const LoadSpec spec;
  for (const std::size_t item : {7u, 3u}) {
    Claim claim;
    claim.order = static_cast<std::uint32_t>(item);
    owned.add(item, std::make_shared<Flight>(key, spec, std::vector<std::string>{}, item), std::move(claim));
  }
  ASSERT_EQ(owned.flights.size(), 2u);
  for (std::size_t n = 0; n < 2; ++n) {
    EXPECT_EQ(owned.flights[n]->sequence, owned.items[n]);
    EXPECT_EQ(owned.claims[n].order, owned.items[n]);
  }
}

}  // namespace
}  // namespace dsta::cache::detail
