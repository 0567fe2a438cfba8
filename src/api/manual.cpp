#include <dsta/cache/detail/manual.hpp>

#include <deque>
#include <span>
#include <utility>

#include <dsta/cache/detail/call_loader.hpp>

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

Fetched fetch_manual(Core& core, const KeyView& key, const TypeOps* const* types, std::size_t count,
                     const Reach& reach) {
  if (reach.raw) check_raw_codec(*types[0]);
  Fetched item{key};
  core.fetch(std::span(&item, 1), std::span(types, count), reach);
  return item;
}

struct ManualReads::Items {
  Core& core;
  const EntryOptions& options;
  const Reach reach;
  std::deque<ManualKey> keys;
  std::vector<Fetched> open;
  std::vector<std::size_t> places;
};

ManualReads::ManualReads(Core& core, const EntryOptions& options, const TypeOps& type)
    : items_(new Items{core, options, type.shareable ? core.reach(options) : Reach(), {}, {}, {}}) {}

ManualReads::~ManualReads() { delete items_; }

void ManualReads::add(std::string_view key) { items_->keys.emplace_back(key, items_->options); }

NodeRef ManualReads::read(const TypeOps& type) {
  NodeRef node;
  if (items_->reach.l1) items_->core.read(items_->keys.back().view(), type, nullptr, node);
  return node;
}

void ManualReads::want() {
  if (!items_->reach.l2) return;
  items_->open.push_back({items_->keys.back().view()});
  items_->places.push_back(items_->keys.size() - 1);
}

void ManualReads::fetch(const TypeOps* const* types, std::size_t count) {
  if (items_->reach.raw) check_raw_codec(*types[0]);
  if (!items_->open.empty()) items_->core.fetch(items_->open, std::span(types, count), items_->reach);
}

std::size_t ManualReads::wanted() const noexcept { return items_->open.size(); }
const NodeRef& ManualReads::fetched(std::size_t i) const noexcept { return items_->open[i].node; }
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
