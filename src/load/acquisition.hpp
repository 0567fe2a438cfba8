#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "load/lease_coordinator.hpp"
#include "load/take_claims.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// One call of acquire(). One thread.
class LeaseCoordinator::Acquisition {
 public:
  Acquisition(LeaseCoordinator& coordinator, const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, int looks);
  Acquired run(LoadPlace& place);

 private:
  /// False: there is nothing to be asked, or L2 did not answer.
  bool read(const LoadPlace& place);
  /// Reads and, in the same request, takes the leases of what is not there, or makes the versions for them. False: L2
  /// did not answer.
  bool read_ahead();
  bool may_read_ahead(const LoadPlace& place) const;
  void plan_leases(const Versions& remembered);
  void note_lease_results(bool answered);
  void note_found();
  /// Does what the decision about the flight says, or adds it to wanted_.
  void act_on(std::size_t n);
  /// Notes in the claim what it would replace.
  LeaseStep decide_step(const Flight& flight, const Found& found, Claim& claim, Freshness& freshness);
  void claim(LoadPlace& place);
  void claim_plain();
  bool know_versions();
  Duration life_of_versions() const;
  TimePoint kept_until() const;

  void load_alone(std::size_t i) { acquired_.owned.add(batch_.items[i], batch_.flights[i], {}); }
  void go_without_claim(std::size_t i, LeaseStep step, const Found& found);
  /// See Claim::Kind::plain.
  bool without_scripts() const { return !coordinator_.l2_store().has_scripts(); }
  bool fills() const { return coordinator_.levels_.coherence().fills(*spec_.terms); }

  LeaseCoordinator& coordinator_;
  const Batch& batch_;
  const LoadSpec& spec_;
  const LoadUrgency urgency_;
  const int looks_;
  const std::vector<std::string> dependencies_;
  const Pending::Mark before_;  ///< Pending's, before the request
  const bool hides_plain_;      ///< likewise: counters do not count
  const std::shared_ptr<Versions> versions_ = std::make_shared<Versions>();
  std::vector<EntryQuery> queries_;
  std::vector<std::size_t> places_;  ///< in the batch, of each query
  std::vector<Wanted> wanted_;
  bool read_ahead_ = false;
  std::vector<Ahead> ahead_;       ///< of each query; or none at all
  std::vector<std::string> made_;  ///< versions that are kept for long enough since the reading request
  std::uint64_t clock_ = 0;        ///< see Claim::clock
  Acquired acquired_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
