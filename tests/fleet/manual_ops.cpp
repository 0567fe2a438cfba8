#include "worker.hpp"

namespace dsta::cache::fleet_model {
namespace {

constexpr Duration kLongestTtl = std::chrono::milliseconds(60'100);

EntryOptions writing(std::size_t cell) {
  EntryOptions options = manual_options(kind_of(cell));
  if (kind_of(cell).tags == Kind::by_options) {
    options.tags = {kind_tag(kind_of(cell)), cell_tag(cell), std::string(kSharedTag)};
  }
  return options;
}

/// Increments confirmed since change number `changes`.
std::uint64_t counted_since(const Cell& cell, std::uint64_t changes) {
  const std::uint64_t counted = cell.counted;
  return counted >> 32 == changes ? counted & UINT32_MAX : 0;
}
void count_one(Cell& cell, std::uint64_t changes) {
  for (std::uint64_t was = cell.counted; was >> 32 <= changes;) {
    const std::uint64_t next = was >> 32 == changes ? was + 1 : (changes << 32) + 1;
    if (cell.counted.compare_exchange_weak(was, next)) return;
  }
}

}  // namespace

void Worker::do_manual(Op operation, std::size_t cell, Random& random) {
  if (kind_of(cell).type == Kind::counter) return random() % 2 == 0 ? increment(cell) : read_counter(cell);
  switch (operation) {
    case Op::put:
    case Op::set:
    case Op::refresh:
      return set(cell, random);
    case Op::set_many:
    case Op::warm:
      return set_many(cell / kArguments);
    case Op::many:
    case Op::get_many:
      return get_many(cell / kArguments);
    case Op::get_or_load:
    case Op::call:
    case Op::shared:
      return get_or_load(cell);
    case Op::drift:
      ++board_.cells[cell].source;
      return;
    case Op::del_many: {
      const std::size_t first = cell_of(cell / kArguments, 0);
      std::vector<std::size_t> all;
      std::vector<std::string> keys;
      for (std::size_t i = 0; i < kArguments; ++i) {
        all.push_back(first + i);
        keys.push_back(manual_key(first + i));
      }
      return remove_cells(operation, all, Floor::fleet, [&] { cache_.del_many(keys, manual_options(kind_of(cell))); });
    }
    default:
      return get(operation, cell, random);
  }
}

/// Stores, and often looks whether it is there: what a process stored is visible to it at once.
void Worker::set(std::size_t cell, Random& random) {
  const std::int64_t begun = now();
  bool stored = false;
  guarded(Op::set, cell, [&](Outcome& outcome, std::uint64_t& version) {
    EntryOptions options = writing(cell);
    if (kind_of(cell).name == "text" && random() % 4 == 0) options.level = Level::l2;
    Oracle::Change change(oracle_, Oracle::Change::write, {cell});
    version = change.version();
    const SetResult result = cache_.set(manual_key(cell), value_of<std::string>(change.stamp()), options);
    stored = bool(result);
    change.stored(0, result.status());
    change.done();
    outcome = static_cast<Outcome>(static_cast<int>(Outcome::stored) + result.status());
    if (stored && board_.cells[cell].removed < begun) raise(board_.cells[cell].stored, now());
    if (!stored && !oracle_.faulty(begun) && can_keep(cell))
      oracle_.wrong(cell, begun, "a value is not stored", std::string(result.reason()));
  });
  if (!stored || random() % 2 != 0) return;
  guarded(Op::get, cell, [&](Outcome& outcome, std::uint64_t& version) {
    const Cell& known = board_.cells[cell];
    const auto reader = oracle_.reader(cell);
    const auto found = cache_.get(manual_key(cell), manual_options(kind_of(cell)));
    outcome = found ? Outcome::value : Outcome::nothing;
    if (found) {
      version = stamp_of(*found).value_or(Stamp{}).version;
      return oracle_.saw(reader, stamp_of(*found));
    }
    if (!changing(known) && known.removed < begun - 300 * kMs && !oracle_.faulty(begun))
      oracle_.wrong(cell, begun, "a stored value is not there", "set said stored, nothing removed it");
  });
}

/// Its values have the same tags, so those of one cell alone cannot be given: untagged kinds only.
void Worker::set_many(std::size_t kind) {
  if (kinds()[kind].tags != Kind::untagged) return;
  const std::size_t first = cell_of(kind, 0);
  guarded(Op::set_many, bits_of_kind(kind), [&](Outcome& outcome, std::uint64_t& version) {
    const std::int64_t begun = now();
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < kArguments; ++i) all.push_back(first + i);
    Oracle::Change change(oracle_, Oracle::Change::write, all);
    std::vector<std::pair<std::string, std::string>> items;
    for (std::size_t i = 0; i < kArguments; ++i)
      items.emplace_back(manual_key(all[i]), value_of<std::string>(change.stamp(i)));
    const EntryOptions options = manual_options(kinds()[kind]);
    const auto results = cache_.set_many(items, options);
    for (std::size_t i = 0; i < results.size(); ++i) {
      change.stored(i, results[i].status());
      if (!results[i] && !oracle_.faulty(begun) && can_keep(all[i]))
        oracle_.wrong(all[i], begun, "a value is not stored", std::string(results[i].reason()));
    }
    change.done();
    version = change.version();
    outcome = Outcome::stored;
  });
}

void Worker::get(Op operation, std::size_t cell, Random& random) {
  const Kind& kind = kind_of(cell);
  guarded(operation, cell, [&](Outcome& outcome, std::uint64_t& version) {
    EntryOptions options = manual_options(kind);
    const bool at_server = kind.name == "text" && random() % 3 == 0;
    if (at_server) options.level = Level::l2;
    const auto reader = oracle_.reader(cell, at_server);
    std::optional<std::string> found;
    switch (random() % 6) {
      case 0:
        found = cache_.lookup(manual_key(cell), options).value;
        break;
      case 1:
        (void)cache_.exists(manual_key(cell), options);
        // The server's time is measured, so it may be off by a round trip.
        if (const auto left = cache_.get_ttl(manual_key(cell), options); left && *left > kLongestTtl)
          oracle_.wrong(cell, reader.begun, "a longer ttl than was given", std::to_string(left->count()) + " ns");
        break;
      case 2:
        // Raw values have no type: their text is no number all the same.
        if (cache_.get<std::int64_t>(manual_key(cell), options))
          oracle_.wrong(cell, reader.begun, "a value of another type", "");
        break;
      default:
        found = cache_.get(manual_key(cell), options);
    }
    outcome = found ? Outcome::value : Outcome::nothing;
    if (!found) return;
    version = stamp_of(*found).value_or(Stamp{}).version;
    oracle_.saw(reader, stamp_of(*found));
    ++board_.hits;
  });
}

void Worker::get_many(std::size_t kind) {
  const std::size_t first = cell_of(kind, 0);
  guarded(Op::get_many, bits_of_kind(kind), [&](Outcome& outcome, std::uint64_t& version) {
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < kArguments; ++i) keys.push_back(manual_key(first + i));
    const auto reader = oracle_.reader(first);
    const auto found = cache_.get_many(keys, manual_options(kinds()[kind]));
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!found[i]) continue;
      oracle_.saw({first + i, reader.begun, reader.strict}, stamp_of(*found[i]));
      version = stamp_of(*found[i]).value_or(Stamp{}).version;
    }
    outcome = Outcome::value;
  });
}

void Worker::get_or_load(std::size_t cell) {
  guarded(Op::get_or_load, cell, [&](Outcome& outcome, std::uint64_t& version) {
    const auto reader = oracle_.reader(cell);
    const std::string value = cache_.get_or_load(
        manual_key(cell), [this, cell] { return value_of<std::string>(sources_.load(cell)); }, writing(cell));
    oracle_.took(reader, Sources::own_time());
    oracle_.saw(reader, stamp_of(value));
    version = stamp_of(value).value_or(Stamp{}).version;
    outcome = Outcome::value;
  });
}

/// A counter is never less than what was confirmed since it was last removed, and never more than all that ever began.
void Worker::increment(std::size_t cell) {
  Cell& known = board_.cells[cell];
  guarded(Op::increment, cell, [&](Outcome& outcome, std::uint64_t& version) {
    const std::uint64_t changes = known.changes;
    const bool quiet = !changing(known);
    const std::uint64_t least = counted_since(known, changes);
    ++known.begun_increments;
    const auto sum = cache_.increment(manual_key(cell), 1, manual_options(kind_of(cell)));
    outcome = sum ? Outcome::stored : Outcome::unknown;
    if (!sum) return;
    version = static_cast<std::uint64_t>(*sum);
    if (version > known.begun_increments) oracle_.wrong(cell, now(), "a counter counts too much", std::to_string(*sum));
    if (!quiet || known.changes != changes || changing(known)) return;
    if (version < least + 1)
      oracle_.wrong(cell, now(), "a counter lost increments",
                    std::to_string(*sum) + " of " + std::to_string(least + 1));
    count_one(known, changes);
  });
}

void Worker::read_counter(std::size_t cell) {
  Cell& known = board_.cells[cell];
  guarded(Op::get, cell, [&](Outcome& outcome, std::uint64_t& version) {
    const std::uint64_t changes = known.changes, least = counted_since(known, changes);
    const bool quiet = !changing(known);
    const std::int64_t begun = now();
    const auto found = cache_.get<std::int64_t>(manual_key(cell), manual_options(kind_of(cell)));
    outcome = found ? Outcome::value : Outcome::nothing;
    version = static_cast<std::uint64_t>(found.value_or(0));
    if (version > known.begun_increments) oracle_.wrong(cell, begun, "a counter counts too much", "");
    if (!quiet || known.changes != changes || changing(known) || oracle_.faulty(begun)) return;
    if (version < least)
      oracle_.wrong(cell, begun, "a counter lost increments", std::to_string(version) + " of " + std::to_string(least));
  });
}

}  // namespace dsta::cache::fleet_model
