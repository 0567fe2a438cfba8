#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "l2/values/entry_put.hpp"
#include "l2/values/server_commands.hpp"
#include "l2/values/version_store.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Writes entries by hand, whatever stands there: values, raw values, counters. Thread-safe.
class EntryWriter {
 public:
  EntryWriter(ServerCommands& commands, VersionStore& versions)
      : commands_(commands), keys_(commands.keys()), versions_(versions) {}

  using Put = EntryPut;
  /// Stores all of them; `versions`, where given, are then those that `dependencies` had after the writes.
  std::vector<Done> put(std::span<const Put> puts, std::span<const std::string> dependencies, Versions* versions);
  std::vector<Done> put_raw(std::span<const Put> puts);

  /// What a load without a lease brings, which is stored only if something stands there.
  struct PlainPut {
    Put put;
    /// And only if that is this: see mark_of. Where it was something else, which the server tells when that is
    /// overwritten, both go.
    std::string_view in_place_of;
  };
  /// `no` without a reason: it was otherwise. `unknown`: it may stand there all the same.
  std::vector<Done> put_plain(std::span<const PlainPut> puts);

  struct Counted {
    Done done;
    std::int64_t value = 0;
    enum class Refused : std::uint8_t { no, no_integer, other_type, overflow } refused = Refused::no;
  };
  /// INCRBY; `life` zero: for ever, else it begins when the counter is made.
  Counted increment(std::string_view name, std::int64_t by, Duration life);

 private:
  Done unlink(std::span<const std::string> keys);

  ServerCommands& commands_;
  const KeySpace& keys_;
  VersionStore& versions_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
