#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "flight.hpp"
#include "l1/store.hpp"
#include "l2/envelope.hpp"
#include "l2/remote.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// By what right a load's value may be stored at the shared level.
struct Claim {
  enum class Kind : std::uint8_t {
    none,     ///< by none: the level is out of reach or not to be used, and the value is stored nowhere it could be wrong
    lease,    ///< `token` stands in the place of the entry
    replace,  ///< as long as the value with `mark` is still there
    raw,      ///< whatever is there
  };
  Kind kind = Kind::none;
  LeaseToken token{};
  std::string mark = {};
  bool refreshing = false;  ///< `token` also keeps others from refreshing
  NodeRef previous = {};    ///< the value that is to be replaced
  /// Of all that the value will depend on, as far as it was known before the load.
  std::shared_ptr<Versions> versions = {};
  /// The server's time before the load; 0 when nobody will ask.
  std::int64_t begun = 0;
};

/// Flights that this process is to load, each with its claim; none at all without a shared level.
struct Ours : Batch {
  std::vector<Claim> claims;
  void add(std::size_t item, std::shared_ptr<Flight> flight, Claim claim) {
    Batch::add(item, std::move(flight));
    claims.push_back(std::move(claim));
  }
};

struct Consulted {
  Ours ours;
  Batch others;  ///< that another process loads, or that should be looked at once more
};

/// What is to become of a load's outcome.
struct Prepared {
  Store::Landing landing;
  std::uint64_t void_from = Flight::kValid;
  bool invalidated = false;
  bool wanted = false;   ///< there is a value that was to be kept
  bool negative = false;
  bool revoked = false;  ///< at the shared level something had removed the claim
  const TagSet* kept_tags = nullptr;
};

/// Whether the lease is this flight's; whether it has one.
bool names_lease(const Flight& flight, const LeaseToken& token);
bool has_lease(const Flight& flight);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
