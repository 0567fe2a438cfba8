#include <algorithm>
#include <iterator>

#include "worker.hpp"

namespace dsta::cache::fleet_model {
namespace {

template <class Which>
std::vector<std::size_t> cells_where(Which which) {
  std::vector<std::size_t> found;
  for (std::size_t cell = 0; cell < cells(); ++cell) {
    if (which(kind_of(cell), cell % kArguments)) found.push_back(cell);
  }
  return found;
}

}  // namespace

void Worker::remove_cells(Op operation, std::vector<std::size_t> cells, Floor::Reach reach,
                          const std::function<void()>& how) {
  guarded(operation, bits_of(cells), [&](Outcome& outcome, std::uint64_t& version) {
    const std::int64_t begun = now();
    Oracle::Change change(oracle_, Oracle::Change::removal, cells, reach);
    version = change.version();
    how();
    outcome = change.done() ? Outcome::confirmed : Outcome::pending;
    if (now() - begun > (oracle_.faulty(begun) ? 5500 : 1500) * kMs + oracle_.lag())
      oracle_.wrong(cells.front(), begun, "an invalidation takes too long", std::string(name_of(operation)));
  });
}

/// Values with a stale_for may be served until they are loaded again; the others are gone.
void Worker::expire(std::vector<std::size_t> cells, const std::string& tag) {
  std::vector<std::size_t> kept;
  std::ranges::copy_if(cells, std::back_inserter(kept), [](std::size_t cell) { return kind_of(cell).stale_ms > 0; });
  std::erase_if(cells, [](std::size_t cell) { return kind_of(cell).stale_ms > 0; });
  const auto call = [&] { cache_.invalidate_tag(tag, TagMode::expire); };
  if (kept.empty()) return remove_cells(Op::tag_expire, cells, Floor::tag, call);
  Oracle::Change change(oracle_, Oracle::Change::expiry, kept);
  if (cells.empty()) {
    guarded(Op::tag_expire, bits_of(kept), [&](Outcome& outcome, std::uint64_t&) {
      call();
      outcome = Outcome::confirmed;
    });
  } else {
    remove_cells(Op::tag_expire, cells, Floor::tag, call);
  }
  change.done();
}

void Worker::remove(Op operation, std::size_t cell, Random& random) {
  const Kind& kind = kind_of(cell);
  const std::size_t argument = cell % kArguments;
  const std::string name = argument_name(argument);
  const auto same_kind = cells_where([&](const Kind& other, std::size_t) { return &other == &kind; });
  switch (operation) {
    case Op::del:
    case Op::invalidate: {
      const bool by_hand = operation == Op::del || kind.type != Kind::function || !subject(cell);
      return remove_cells(operation, {cell}, Floor::fleet, [&] {
        if (!by_hand) return subject(cell)->invalidate(argument);
        EntryOptions options;
        if (kind.level == Level::l1) options.level = Level::l1;
        cache_.del(key_of(cell), options);
      });
    }
    case Op::invalidator: {
      const std::uint64_t which = random() % 3;
      const auto cells = cells_where([&](const Kind& other, std::size_t its) {
        return its == argument && (which == 2 ? of_users(other) : of_symbols(other));
      });
      return remove_cells(operation, cells, Floor::fleet, [&] {
        if (which == 0) invalidator_.invalidate_symbol_data(name);
        if (which == 1) invalidator_.invalidate_exchange_data(name);
        if (which == 2) invalidator_.invalidate_user_session(name);
      });
    }
    case Op::tag_remove:
    case Op::tag_expire: {
      const std::uint64_t which = kind.tags == Kind::untagged || random() % 8 == 0 ? 0 : 1 + random() % 2;
      const auto cells = cells_where([&](const Kind& other, std::size_t its) {
        if (other.tags == Kind::untagged) return false;
        return which == 0 || (&other == &kind && (which == 1 || its == argument));
      });
      const std::string tag = which == 0 ? std::string(kSharedTag) : which == 1 ? kind_tag(kind) : cell_tag(cell);
      if (operation == Op::tag_expire) return expire(cells, tag);
      return remove_cells(operation, cells, Floor::tag, [&] { cache_.invalidate_tag(tag); });
    }
    case Op::pattern: {
      const std::uint64_t which = random() % 4;
      if (which > 0) {
        return remove_cells(operation, same_kind, Floor::fleet,
                            [&] { cache_.delete_pattern("*:" + std::string(kind.name) + ":*"); });
      }
      const auto cells = cells_where([&](const Kind&, std::size_t its) { return its == argument; });
      return remove_cells(operation, cells, Floor::fleet, [&] { cache_.delete_pattern("*:" + name); });
    }
    case Op::clear:
      if (!subject(cell)) return;
      return remove_cells(operation, same_kind, Floor::clear, [&] { subject(cell)->clear(); });
    default:
      return remove_cells(operation, cells_where([](const Kind&, std::size_t) { return true; }), Floor::fleet,
                          [&] { cache_.flush_all(); });
  }
}

}  // namespace dsta::cache::fleet_model
