#pragma once
#include <map>
#include <set>
#include <string>

#include <dsta/cache/clock.hpp>
#include <dsta/cache/duration.hpp>

namespace dsta::cache::testing_support {

/// What a correct cache of unlimited size holds.
class StoreModel {
 public:
  struct Entry {
    std::string value = {};
    std::int64_t number = 0;
    bool is_number = false;
    TimePoint until = {};
    std::set<std::string> tags = {};
  };

  explicit StoreModel(const Clock& clock) : clock_(clock) {}

  Entry* find(const std::string& key) {
    const auto it = entries_.find(key);
    if (it == entries_.end()) return nullptr;
    if (it->second.until <= clock_.now()) return entries_.erase(it), nullptr;
    return &it->second;
  }
  void put(const std::string& key, Entry entry) { entries_[key] = std::move(entry); }
  bool del(const std::string& key) { return find(key) != nullptr && entries_.erase(key) != 0; }
  template <class Predicate>
  std::size_t erase_if(Predicate gone) {
    std::erase_if(entries_, [&](const auto& item) { return item.second.until <= clock_.now(); });
    return std::erase_if(entries_, [&](const auto& item) { return gone(item.first, item.second); });
  }
  TimePoint after(Duration ttl) const { return ttl == forever ? TimePoint::max() : clock_.now() + ttl; }

 private:
  const Clock& clock_;
  std::map<std::string, Entry> entries_;
};

}  // namespace dsta::cache::testing_support
