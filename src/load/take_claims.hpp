#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "load/lease_coordinator.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A lease that the request which read the entry was to take.
struct LeaseCoordinator::Ahead {
  LeaseToken token;
  std::string bytes;  ///< the versions in it are those that were remembered, not those that were read
  LeaseHold hold;
  Done done = {};
};

/// What a lease says whose load stores a value of this codec and with these dependencies.
std::string lease_bytes(const LeaseToken& token, std::span<const std::string> dependencies, const Versions& versions,
                        std::string_view codec);

/// An entry that is to be loaded, and how.
struct LeaseCoordinator::Wanted {
  std::size_t place;  ///< in its batch
  LeaseStep step;
  const Found* found;
  Claim claim;
  std::optional<Ahead> ahead = {};  ///< where there is one and nothing was found
};

/// An entry whose load is to have the lease of a raw value.
struct LeaseCoordinator::RawWish {
  std::size_t place;  ///< in its batch
  Claim claim = {};
  std::string read = {};  ///< see LeaseStore::RawTake
  bool joins = false;     ///< the lease is shared with other loads
};

/// The claims of one batch while they are taken: what each step asks of the server is gathered, asked for by at most
/// three requests, and what it answers decides which flights are this process's. One
/// thread.
class LeaseCoordinator::Claims {
 public:
  /// `clock`: see Claim::clock.
  Claims(LeaseCoordinator& coordinator, const Batch& batch, const LoadSpec& spec, LoadUrgency urgency,
         std::shared_ptr<const Versions> versions, std::uint64_t clock, std::vector<Wanted>& wanted);

  /// Each of the wanted becomes one of `acquired`, or has landed.
  void take(Acquired& acquired);

 private:
  void plan(std::size_t n, Acquired& acquired);
  void plan_lease(std::size_t n);
  void plan_ahead(std::size_t n);
  void plan_join(std::size_t n);
  void plan_refresh(std::size_t n);
  void take_leases_beside(Acquired& acquired);
  void take_raw_leases(Acquired& acquired);
  void leave_to_others(Wanted& one, const Done& done, const std::string& lease_key, Acquired& acquired);
  std::uint64_t beside(const Wanted& one) const;
  void ask();
  void hand_out(std::size_t n, Acquired& acquired);

  const std::shared_ptr<Flight>& flight_of(const Wanted& one) const { return batch_.flights[one.place]; }

  LeaseCoordinator& coordinator_;
  const Batch& batch_;
  const LoadSpec& spec_;
  const LoadUrgency urgency_;
  const std::shared_ptr<const Versions> versions_;
  const std::uint64_t clock_;
  std::vector<Wanted>& wanted_;
  L2Store& l2_store_;
  std::vector<ClaimResult> results_;
  // Leases in free places, and what takes the place of something or keeps it; which of the wanted each is for.
  std::vector<std::string_view> free_names_;
  std::vector<std::string> leases_;
  std::vector<std::size_t> free_;
  std::vector<LeaseStore::Replace> replaces_;
  std::vector<std::size_t> replacing_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
