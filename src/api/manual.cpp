#include <dsta/cache/detail/manual.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <dsta/cache/detail/call_loader.hpp>

#include "engine/engine.hpp"
#include "entry/entry.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

std::vector<SetResult> put_manual(Core& core, std::vector<NodeRef> nodes, const EntryOptions& options) {
  const EntryTerms terms = core.resolve(options);
  if (terms.raw && !nodes.empty()) check_raw_codec(*nodes.front()->type);
  Counters& counters = core.manual_writer(options.prefix).counters;
  std::vector<SetResult> results;
  results.reserve(nodes.size());
  for (const PutOutcome& outcome : core.put(std::move(nodes), terms)) {
    results.push_back(to_set_result(outcome, counters));
  }
  return results;
}

namespace {

[[gnu::noinline]] void log_other_type(Core& core, const KeyView& key, const EntryOptions& options,
                                      const TypeOps& type) noexcept {
  try {
    if (!engine_of(core).time_left(key, core.reach(options))) return;
    core.log(LogLevel::debug,
             fmt::format("get under prefix '{}': a value of another type than {} is stored, or L2 could not be read "
                         "just now: this is a miss. Ask for the type that was stored",
                         options.prefix, type.codec.empty() ? "the one asked for" : type.codec));
  } catch (...) {  // no memory for the text
  }
}

}  // namespace

void count_manual_miss(Core& core, const KeyView& key, const EntryOptions& options, const TypeOps& type) {
  core.manual(options.prefix).counters.add(Count::misses);
  if (core.options().log.level == LogLevel::debug) log_other_type(core, key, options, type);
}

Fetched fetch_manual(Core& core, const KeyView& key, const EntryOptions& options, const TypeOps* const* types,
                     std::size_t count, Reach reach) {
  if (reach.raw) check_raw_codec(*types[0]);
  reach.counted = &core.manual(options.prefix);
  Fetched item{key};
  core.fetch(std::span(&item, 1), std::span(types, count), reach);
  return item;
}

struct ManualReads::Items {
  /// The key's, until all are read.
  const KeyView& keep(const ManualKey& key) {
    const std::string_view name = key.view().name;
    // Zeros up to a multiple of eight bytes: see KeyView.
    const std::size_t size = (name.size() / 8 + 1) * 8;
    if (left < size) {
      left = std::max(size, kBlock);
      blocks.push_back(std::make_unique_for_overwrite<char[]>(left));
      next = blocks.back().get();
    }
    std::memset(next + size - 8, 0, 8);
    name.copy(next, name.size());
    last = {{next, name.size()}, {}, key.view().hash, true};
    next += size;
    left -= size;
    return last;
  }

  static constexpr std::size_t kBlock = 8192;
  Core& core;
  const EntryOptions& options;
  const Reach reach;
  const bool has_l1;
  std::size_t count = 0;
  KeyView last = {};
  Freshness freshness = Freshness::miss;  ///< of what was read last
  std::vector<std::unique_ptr<char[]>> blocks = {};
  char* next = nullptr;
  std::size_t left = 0;
  std::vector<Fetched> open = {};
  std::vector<std::size_t> places = {};
};

ManualReads::ManualReads(Core& core, const EntryOptions& options, const TypeOps& type, std::size_t count)
    : items_(nullptr) {
  Reach reach = type.shareable ? core.reach(options) : Reach();
  if (reach.l2) reach.counted = &core.manual(options.prefix);
  const bool has_l1 = reach.l1 && engine_of(core).keeps_l1();
  auto items = std::unique_ptr<Items>(new Items{core, options, reach, has_l1});
  if (reach.l2) {
    items->open.reserve(count);
    items->places.reserve(count);
  }
  items_ = items.release();
}

ManualReads::~ManualReads() { delete items_; }

void ManualReads::add(std::string_view key) {
  items_->keep(ManualKey(key, items_->options));
  ++items_->count;
}

NodeRef ManualReads::read(const TypeOps& type) {
  NodeRef node;
  items_->freshness = Freshness::miss;
  if (items_->has_l1) items_->freshness = items_->core.read(items_->last, type, nullptr, node);
  return node;
}

bool ManualReads::stale() const noexcept { return is_past_ttl(items_->freshness); }

void ManualReads::want() {
  if (!items_->reach.l2) return;
  items_->open.push_back({items_->last});
  items_->places.push_back(items_->count - 1);
}

void ManualReads::fetch(const TypeOps* const* types, std::size_t count) {
  if (items_->reach.raw) check_raw_codec(*types[0]);
  if (!items_->open.empty()) items_->core.fetch(items_->open, std::span(types, count), items_->reach);
}

std::size_t ManualReads::wanted() const noexcept { return items_->open.size(); }
const NodeRef& ManualReads::fetched(std::size_t i) const noexcept { return items_->open[i].node; }
bool ManualReads::fetched_stale(std::size_t i) const noexcept { return is_past_ttl(items_->open[i].freshness); }
std::size_t ManualReads::place(std::size_t i) const noexcept { return items_->places[i]; }

void describe_load(Loader& load, EntryTerms terms, Identity& counted, const TypeOps& type) {
  if (terms.raw) check_raw_codec(type);
  load.tags = terms.tags;
  load.terms = std::make_shared<const EntryTerms>(std::move(terms));
  load.identity = &counted;
  load.type = &type;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
