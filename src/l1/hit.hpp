#pragma once
/// The store's part of the hit path, inline: the compiler is to see engine/hit.cpp as one piece. It takes no lock: it
/// uses nothing of a shard but Table::read, which is made for that.
#include "l1/shard.hpp"
#include "l1/store.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

[[gnu::always_inline]] inline bool matches(const Node& node, const KeyView& key) {
  return same_padded(node.name(), key.name) && (key.by_name || node.full() == key.full);
}

/// A look-up that copies the value. `is_key` says of a node whether it is the key's.
template <class IsKey>
struct Store::CopyingRead {
  std::uint64_t hash;
  IsKey is_key;
  const TypeOps& type;
  const Identity* reader;
  Copier* copier;
  void* out;

  [[gnu::always_inline]] Freshness copy(Node& node, TimePoint now) const {
    if (!node.type->serves(type)) return Freshness::miss;
    const Freshness freshness = evaluate(node, reader, now);
    if (freshness != Freshness::fresh) return freshness;
    Shard::note_read(node, now);
    copier(node.value(), out);
    return freshness;
  }
};

inline Shard& Store::shard(std::uint64_t hash) const noexcept { return shards_[hash & mask_]; }

[[gnu::always_inline]] DSTA_NO_THREAD_SAFETY_ANALYSIS inline Freshness Store::find(
    ThreadRecord& record, const KeyView& key, const TypeOps& type, const Identity* reader, TimePoint now,
    NodeRef& out) noexcept {
  Shard& home = shard(key.hash);
  Freshness freshness = Freshness::miss;
  const auto is_key = [&](const Node& node) { return matches(node, key); };
  home.table.read(
      record, key.hash, is_key, [&](Node & node) __attribute__((always_inline)) {
        if (!node.type->serves(type)) return;
        freshness = evaluate(node, reader, now);
        if (freshness == Freshness::fresh) out = Shard::use(node, now);
      });
  if (freshness == Freshness::fresh || freshness == Freshness::miss) return freshness;
  return find_aged(key, type, reader, now, out);
}

template <class IsKey>
[[gnu::always_inline]] DSTA_NO_THREAD_SAFETY_ANALYSIS inline Freshness Store::copy(ThreadRecord& record,
                                                                                   const CopyingRead<IsKey>& read,
                                                                                   TimePoint now) {
  Freshness freshness = Freshness::miss;
  const auto use = [&](Node & node) __attribute__((always_inline)) { freshness = read.copy(node, now); };
  shard(read.hash).table.read(record, read.hash, read.is_key, use);
  return freshness;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
