#pragma once
#include <optional>
#include <string>
#include <vector>

#include "l2/values/l2_store.hpp"
#include "load/lease_coordinator.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What the server is asked to do about the flights of a batch.
struct LeaseCoordinator::Requests {
  /// Which flight a request is about, and what its answer decides.
  struct About {
    std::size_t flight;
    bool stores;              ///< or removes: the answer decides what becomes of the value in L1
    bool is_refresh = false;  ///< about the lease that keeps others from refreshing
    bool if_stored = false;   ///< which stays for a while if the value is there, and else is given back
  };
  std::vector<LeaseStore::Replace> entries;
  std::vector<About> of_entries;
  std::vector<LeaseStore::RawReplace> raw;
  std::vector<About> of_raw;
  std::vector<EntryWriter::PlainPut> plain;
  std::vector<About> of_plain;

  /// What a value depends on.
  struct Dependencies {
    std::vector<std::string> all, late;  ///< late: only the value names it, so it was not looked at before the load
  };
  std::vector<Dependencies> dependencies;  ///< of each flight
  std::optional<VersionStore::Late> late;  ///< none: they were not to be had
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
