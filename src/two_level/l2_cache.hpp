#pragma once
#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/detail/load.hpp>
#include <dsta/cache/duration.hpp>

#include "two_level/context.hpp"
#include "two_level/l2_counters.hpp"
#include "two_level/l2_validity.hpp"
#include "two_level/log_once.hpp"
#include "two_level/two_level.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The exception that is being handled, the codec's of `type`, as a ValueError. `prefix`: of its function, or empty.
std::exception_ptr as_value_error(const TypeOps& type, std::string_view prefix);

/// The operations of a manager on L2: read, write, remove, count, sweep, invalidate. Those that change a key fence L1
/// too. Only with an L2, but for what says otherwise. Thread-safe.
///
/// Invariants:
/// - A removal or an invalidation that L2 did not confirm becomes pending before the operation returns, and what it
///   concerns is not read from L2 until it was applied there. It becomes pending first and fences flights then, so a
///   read that begins in between finds it pending, and one that has begun before is fenced.
/// - A value on its way to or from L2 is a flight in L1, so whatever happens to its key meanwhile reaches it.
class L2Cache {
 public:
  L2Cache(Context& context, TwoLevel& levels, L2Counters& counters)
      : context_(context), levels_(levels), counters_(counters) {}

  /// Reads all items at once, as values of one of the `types` (the first that fits), and keeps in L1 what may be kept
  /// there. `dependencies` are read in the same round trip. Without an L2 it finds nothing.
  /// `counted`: as Reach::counted; null: the reader's.
  void read(std::span<Fetched> items, std::span<const TypeOps* const> types, const Identity* reader,
            const EntryTerms& terms, std::span<const std::string> dependencies, const Identity* counted = nullptr);
  /// The same for manual calls, and counts what was found.
  void read(std::span<Fetched> items, std::span<const TypeOps* const> types, const Reach& reach);
  std::optional<Duration> time_left(const KeyView& key, bool raw);

  /// All of one function, with the same tags and times.
  std::vector<PutOutcome> write(std::vector<NodeRef>& nodes, const EntryTerms& terms,
                                const std::vector<std::string>& tags);
  std::optional<std::int64_t> increment(const KeyView& key, std::int64_t delta, Duration ttl);

  bool remove(const KeyView& key, bool raw);
  /// From L1, and from L2 if there is one and `reach` says so. How many there were, each key that is named twice once.
  std::size_t remove_many(std::span<const KeyView> keys, const Reach& reach);
  std::size_t remove_matching(const std::shared_ptr<const KeyPattern>& pattern);

  /// Raises the version of a dependency: what depends on it is gone, or past its ttl.
  void invalidate(std::string_view dependency, bool hard);
  void flush();
  /// Raw values have no version to be cleared by: they are looked for, and the leases of their loads with them.
  using RawPatterns = std::array<std::shared_ptr<const KeyPattern>, 2>;
  static RawPatterns raw_values_of(const Identity& identity);
  void clear_raw(const RawPatterns& patterns) noexcept;

  // For loads, which read and write by their leases.
  NodeRef decode(const KeyView& key, const TypeOps& type, std::string_view payload) const;
  /// `expired`: by a tag. `reader`: the function that reads it; null or no function for manual calls.
  NodeRef unpack(const KeyView& key, const TypeOps& type, const Found& found, bool expired, std::uint64_t sequence,
                 const Identity* reader) const;
  /// A 64-bit integer as another integer type: for this call, not for L1. Null where it is none or does not fit.
  NodeRef unpack_integer(const KeyView& key, const TypeOps& type, const Found& found, bool expired,
                         std::uint64_t sequence, const Identity* reader) const;
  std::string pack(const Node& node, const EntryTerms& terms, std::span<const std::string> dependencies,
                   const Versions& versions, Duration load_cost, bool negative, const LeaseToken& generation,
                   std::uint32_t order) const;
  /// `counted`: as Reach::counted.
  void count_undecoded(std::string_view why, const Identity* counted);
  /// An invalidation of the value is pending, or may have been when it was read (`before`: Pending's mark before that).
  bool concerned(const EnvelopeView& view, std::string_view key, const Pending::Mark& before) const;
  /// How long the server keeps an entry.
  Duration physical_life(TimePoint stale_until) const;
  /// How long it keeps the versions that the entry depends on.
  Duration version_life(TimePoint stale_until) const;

 private:
  NodeRef unpack_as(std::string_view codec, const KeyView& key, const TypeOps& type, const Found& found, bool expired,
                    std::uint64_t sequence, const Identity* reader) const;
  L2Store& l2_store() const { return levels_.l2_store(); }
  Coherence& coherence() const { return levels_.coherence(); }
  Confirmations& confirmations() const { return levels_.confirmations(); }
  const Pending& pending() const { return confirmations().pending(); }

  struct Reading;
  /// `counted`: as Reach::counted. `keeps_found`: as Fetched::found. False: L2 is not used.
  bool read(std::span<Fetched> items, std::span<const TypeOps* const> types, const Identity* reader,
            const Identity* counted, const EntryTerms& terms, std::span<const std::string> dependencies,
            Versions& versions, bool keeps_found);
  void take_found(Fetched& item, Found& found, const Reading& reading);
  void take_plain(Fetched& item, const Found& found, const Reading& reading);
  void take_value(Fetched& item, const Found& found, const Reading& reading);
  void write_raw(const std::vector<NodeRef>& nodes, std::vector<PutOutcome>& outcomes);
  std::vector<EntryWriter::Put> encode_entries(const std::vector<NodeRef>& nodes, const EntryTerms& terms,
                                               const std::vector<std::string>& dependencies, const Versions& versions,
                                               std::vector<std::size_t>& places, std::vector<PutOutcome>& outcomes);
  void write_entries(const std::vector<NodeRef>& nodes, const EntryTerms& terms,
                     const std::vector<std::string>& dependencies, Duration life, std::vector<PutOutcome>& outcomes,
                     std::vector<SendOrder>& orders);
  void owe_announcements(std::span<const std::string> names, std::span<const PutOutcome> outcomes);
  bool counts(const EnvelopeView& view);
  std::size_t count_removed(std::span<const Erasure> erasures, bool raw, Versions& versions);
  Done sweep(const KeyPattern& pattern, std::size_t* counted);
  std::optional<std::int64_t> increment_entry(const KeyView& key, std::int64_t delta, Duration ttl, bool& changed);

  Context& context_;
  TwoLevel& levels_;
  L2Counters& counters_;
  LogOnce undecoded_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
