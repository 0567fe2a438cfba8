#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "l1/flight.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The flights of a shard by key. One thread (the shard's lock).
class FlightMap {
 public:
  /// Those of all keys with this name.
  template <class Visit>
  void each(const KeyView& key, Visit&& visit) const {
    if (empty()) return;
    for (const std::shared_ptr<Flight>* flight = &heads_[index(key.hash)]; *flight; flight = &(*flight)->state.next) {
      if ((*flight)->hash == key.hash && (*flight)->name == key.name) visit(*flight);
    }
  }
  template <class Visit>
  void each(Visit&& visit) const {
    for (const auto& head : heads_) {
      for (const std::shared_ptr<Flight>* flight = &head; *flight; flight = &(*flight)->state.next) visit(*flight);
    }
  }
  void add(const std::shared_ptr<Flight>& flight) noexcept {
    flight->state.number = ++added_;
    if (++size_ > heads_.size()) rehash();
    link(flight);
  }
  /// Returns the map's reference, for the caller to drop after the lock.
  std::shared_ptr<Flight> remove(Flight& flight) {
    for (std::shared_ptr<Flight>* link = &heads_[index(flight.hash)]; *link; link = &(*link)->state.next) {
      if (link->get() != &flight) continue;
      std::shared_ptr<Flight> removed = std::move(*link);
      *link = std::move(removed->state.next);
      if (--size_ == 0 && heads_.size() > kMostEmpty) shrink();
      return removed;
    }
    return nullptr;
  }
  bool empty() const { return size_ == 0; }

 private:
  std::size_t index(std::uint64_t hash) const { return (hash >> 8) & (heads_.size() - 1); }
  void link(std::shared_ptr<Flight> flight) noexcept {
    auto& head = heads_[index(flight->hash)];
    flight->state.next = std::move(head);
    head = std::move(flight);
  }
  /// After a burst.
  void shrink() noexcept {
    heads_.resize(kMostEmpty);
    heads_.shrink_to_fit();
  }
  void rehash() noexcept {
    std::vector<std::shared_ptr<Flight>> old;
    try {
      old.resize(heads_.size() * 2);
    } catch (const std::bad_alloc&) {  // the chains are longer until the next one tries again
      return;
    }
    old.swap(heads_);
    for (auto& head : old) {
      while (head) {
        auto flight = std::move(head);
        head = std::move(flight->state.next);
        link(std::move(flight));
      }
    }
  }

  static constexpr std::size_t kMostEmpty = 256;
  std::vector<std::shared_ptr<Flight>> heads_ = std::vector<std::shared_ptr<Flight>>(8);
  std::size_t size_ = 0;
  std::uint64_t added_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
