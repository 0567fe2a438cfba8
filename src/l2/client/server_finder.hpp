#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <dsta/cache/duration.hpp>

#include "l2/net/stream.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Says where the server of a link is now, where that changes: the master of a group that replicates. Thread-safe, also
/// in the child of a fork.
class ServerFinder {
 public:
  virtual ~ServerFinder() = default;
  /// For messages: `master NAME`.
  virtual const std::string& name() const = 0;
  struct Found {
    Address address = {};
    std::size_t source = 0;  ///< who said so
  };
  /// Asks the sources in turn, beginning with `source`, until one knows. Nothing when none did by `deadline`; `error`
  /// says why.
  virtual std::optional<Found> find(std::size_t source, TimePoint deadline, std::string& error) = 0;
  /// What it said is not there, or is no master. It may know less than others, and is no longer asked first.
  virtual void found_wrong(std::size_t source) noexcept = 0;
  /// The source to ask first. Other threads move it, so a search keeps its own place.
  virtual std::size_t first() const noexcept = 0;
  /// How many there are to be asked.
  virtual std::size_t sources() const noexcept = 0;
  /// False: it names the same address always.
  virtual bool moves() const noexcept { return true; }
};

/// The server that a link uses.
struct ServerPlace {
  Address address = {};
  /// Of the server's history, where there is a ServerFinder: another master, or one that was restarted, has another.
  std::string run = {};
  /// Counts the runs, from 1; 0 before the first and where there is no ServerFinder.
  std::uint64_t number = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
