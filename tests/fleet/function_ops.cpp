#include "worker.hpp"

namespace dsta::cache::fleet_model {

void Worker::do_function(Op operation, std::size_t cell, Random& random) {
  if (!subject(cell)) return;
  switch (operation) {
    case Op::call:
    case Op::shared:
      return read(operation, cell, random);
    case Op::refresh:
    case Op::warm:
      return refresh(operation, cell);
    case Op::many:
      return many(cell, random);
    case Op::put:
    case Op::set:
      // A value that is put has not the tags that its loader would have added.
      if (kind_of(cell).name == "context_tags") return;
      return put(cell, random);
    case Op::drift:
      // The source changes and nobody says so: right for values that have only a ttl, and for all others, which may
      // then be of either version.
      ++board_.cells[cell].source;
      return;
    case Op::peek:
    case Op::look:
      return peek(cell);
    default:
      return read(Op::call, cell, random);
  }
}

/// A call; now and then what it loaded is looked for, which must be there unless something changed it.
void Worker::read(Op operation, std::size_t cell, Random& random) {
  const std::size_t argument = cell % kArguments;
  bool loaded = false;
  const std::int64_t begun = now();
  guarded(operation, cell, [&](Outcome& outcome, std::uint64_t& version) {
    const auto reader = oracle_.reader(cell);
    const Seen seen = operation == Op::shared ? subject(cell)->shared(argument) : subject(cell)->call(argument);
    oracle_.took(reader, Sources::own_time());
    oracle_.saw(reader, seen.stamp, seen.empty);
    version = seen.stamp ? seen.stamp->version : 0;
    outcome = seen.empty ? Outcome::nothing : Outcome::value;
    loaded = Sources::own_loads() > 0;
    if (!loaded) ++board_.hits;
  });
  if (!loaded || random() % 2 == 0 || kind_of(cell).name == "nested") return;
  guarded(Op::peek, cell, [&](Outcome& outcome, std::uint64_t& version) {
    const auto found = subject(cell)->peek(argument);
    outcome = found ? Outcome::value : Outcome::nothing;
    version = found && found->stamp ? found->stamp->version : 0;
    if (found || kind_of(cell).fails || !can_keep(cell) || !oracle_.must_be_there(cell, begun)) return;
    oracle_.wrong(cell, begun, "a loaded value is not there", "a call loaded it, nothing changed it");
  });
}

void Worker::refresh(Op operation, std::size_t cell) {
  guarded(operation, cell, [&](Outcome& outcome, std::uint64_t& version) {
    const auto reader = oracle_.reader(cell);
    Oracle::Change change(oracle_, Oracle::Change::refresh, {cell});
    Cell& known = board_.cells[cell];
    const std::uint64_t begun = oracle_.milliseconds();
    try {
      if (operation == Op::warm) {
        subject(cell)->warm(warmer_, cell % kArguments);
      } else {
        const Seen seen = subject(cell)->refresh(cell % kArguments);
        oracle_.saw(reader, seen.stamp, seen.empty);
        oracle_.refreshed(reader, seen.stamp, begun);
        version = seen.stamp ? seen.stamp->version : 0;
        // A removal that crosses it keeps it from being stored, and while that goes on the old value may be read.
        const bool crossed = known.removed >= reader.begun;
        if (seen.stamp && kind_of(cell).kept && !crossed && !oracle_.faulty(reader.begun)) change.brought(version);
        if (!crossed) raise(known.stored, now());
      }
      outcome = Outcome::value;
    } catch (...) {
      change.done();
      throw;
    }
    change.done();
    // A refresh always loads by itself: nothing that it gets is older than its beginning.
    oracle_.took(reader, Sources::own_time());
  });
}

void Worker::many(std::size_t cell, Random& random) {
  const std::size_t first = cell_of(cell / kArguments, 0);
  guarded(Op::many, bits_of_kind(cell / kArguments), [&](Outcome& outcome, std::uint64_t& version) {
    std::vector<std::size_t> arguments;
    for (std::size_t i = 0; i < kArguments; ++i) arguments.push_back(random() % kArguments);
    const auto reader = oracle_.reader(first);
    const auto found = subject(cell)->many(arguments);
    // Items that others load are waited for one after the other.
    if (found.size() != arguments.size()) oracle_.wrong(first, reader.begun, "a batch of another size", "");
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!found[i] && !kind_of(cell).fails && !kind_of(cell).times_out)
        oracle_.wrong(first + arguments[i], reader.begun, "an item of a batch has no value", "");
      if (!found[i]) continue;
      oracle_.saw({first + arguments[i], reader.begun, reader.strict}, found[i]->stamp, found[i]->empty);
      version = found[i]->stamp ? found[i]->stamp->version : 0;
    }
    outcome = Outcome::value;
  });
}

void Worker::peek(std::size_t cell) {
  guarded(Op::peek, cell, [&](Outcome& outcome, std::uint64_t& version) {
    const auto reader = oracle_.reader(cell);
    const auto found = subject(cell)->peek(cell % kArguments);
    outcome = Outcome::nothing;
    if (!found) return;
    oracle_.saw(reader, found->stamp, found->empty);
    version = found->stamp ? found->stamp->version : 0;
    outcome = Outcome::value;
  });
}

void Worker::put(std::size_t cell, Random& random) {
  const std::int64_t begun = now();
  bool stored = false;
  guarded(Op::put, cell, [&](Outcome& outcome, std::uint64_t& version) {
    Oracle::Change change(oracle_, Oracle::Change::write, {cell});
    version = change.version();
    const SetResult result = subject(cell)->put(cell % kArguments, change.stamp());
    stored = bool(result);
    change.stored(0, result.status());
    change.done();
    outcome = static_cast<Outcome>(static_cast<int>(Outcome::stored) + result.status());
    if (stored && board_.cells[cell].removed < begun) raise(board_.cells[cell].stored, now());
    if (!stored && !oracle_.faulty(begun) && kind_of(cell).name != "condition" && can_keep(cell))
      oracle_.wrong(cell, begun, "a value is not stored", std::string(result.reason()));
  });
  if (!stored || !kind_of(cell).kept || random() % 4 != 0) return;
  guarded(Op::peek, cell, [&](Outcome& outcome, std::uint64_t& version) {
    Cell& known = board_.cells[cell];
    const auto reader = oracle_.reader(cell);
    const auto found = subject(cell)->peek(cell % kArguments);
    outcome = found ? Outcome::value : Outcome::nothing;
    version = found && found->stamp ? found->stamp->version : 0;
    if (found) return oracle_.saw(reader, found->stamp, found->empty);
    if (!changing(known) && known.removed < begun - 300 * kMs && !oracle_.faulty(begun))
      oracle_.wrong(cell, begun, "a stored value is not there", "put said stored, nothing removed it");
  });
}

}  // namespace dsta::cache::fleet_model
