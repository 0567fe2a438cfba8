#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "l1/flight.hpp"
#include "l1/store.hpp"
#include "l2/values/envelope.hpp"
#include "l2/values/l2_store.hpp"
#include "two_level/leases.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// By what right a load's value may be stored at L2.
struct Claim {
  enum class Kind : std::uint8_t {
    none,   ///< by none: L2 is out of reach or not to be used, and the value is stored nowhere it could be wrong
    entry,  ///< as long as the lease, or the value to be replaced, of `generation` stands in the entry's place
    raw,    ///< as long as the lease beside the raw value stands
    /// Where the server runs no scripts: `mark` stands in the entry's place, which counts for nobody, and whatever
    /// invalidates the entry takes it away; or the value that is to be replaced stands there (`replaces`), which `mark`
    /// tells from any other.
    plain,
  };
  Kind kind = Kind::none;
  LeaseToken generation{};
  std::uint32_t order = 0;
  std::string mark = {};   ///< of a value without a generation; or see Kind::plain, and mark_of
  LeaseHold hold = {};     ///< the lease, or the value that must not run out meanwhile
  LeaseHold refresh = {};  ///< the lease that keeps others from refreshing
  bool replaces = false;   ///< see Kind::plain
  bool joined = false;     ///< the lease is another load's, which began earlier
  /// What stands there is others': a value takes its place only while it is exactly what was seen, and nothing else
  /// does.
  bool displaces = false;
  NodeRef previous = {};  ///< the value that is to be replaced
  /// Of all that the value will depend on, as far as it is known before the load. Nothing read later replaces them.
  std::shared_ptr<const Versions> versions = {};
  /// The clock of versions before the load; 0 when nobody will ask.
  std::uint64_t clock = 0;

  /// Nothing stands for the load at L2, so nothing there tells that it is out of date.
  bool unclaimed() const { return kind == Kind::none || kind == Kind::plain; }
  LoadClaim at_server() const {
    if (!displaces || kind != Kind::entry) return {generation, order, mark};
    // A lease by its name, unless a value has come under it; a value by its checksum.
    return mark.empty() ? LoadClaim{generation, -1, {}} : LoadClaim{{}, 0, mark};
  }
};

/// What the server's answer makes of a claim.
enum class ClaimResult : std::uint8_t {
  taken,
  refused,   ///< leases are not to be had, and there is a reason: the flight loads without one
  conflict,  ///< something else stands there by now: it is looked at again
  unknown,   ///< the server may take it later, after an invalidation that comes before: it counts for nothing
};
inline ClaimResult claim_result(const Done& done) {
  switch (done.status) {
    case Done::yes:
      return ClaimResult::taken;
    case Done::unknown:
      return ClaimResult::unknown;
    case Done::no:
    case Done::overtaken:
      break;
  }
  return done.why.empty() ? ClaimResult::conflict : ClaimResult::refused;
}

/// Flights that this process is to load, each with its claim; none at all without L2.
struct OwnedLoads : Batch {
  std::vector<Claim> claims;
  void add(std::size_t item, std::shared_ptr<Flight> flight, Claim claim) {
    Batch::add(item, std::move(flight));
    claims.push_back(std::move(claim));
  }
};

struct Acquired {
  OwnedLoads owned;
  Batch foreign;  ///< that another process loads, or that should be looked at once more
  Batch queued;   ///< that need a place among the loads of their prefix first
};

/// What is to become of a load's outcome.
struct Prepared {
  Store::Landing landing;
  std::uint64_t valid_before = Flight::kValid;
  bool invalidated = false;
  bool wanted = false;  ///< there is a value that was to be kept
  bool negative = false;
  bool revoked = false;  ///< at L2 something had removed the claim
  const TagSet* kept_tags = nullptr;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
