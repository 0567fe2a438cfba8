#pragma once
#include <dsta/cache/manager.hpp>

#include <array>
#include <atomic>
#include <random>
#include <string>

#include "chaos_checks.hpp"
#include "checked_value.hpp"
#include "single_writer.hpp"

namespace dsta::cache::testing_support {

/// Eight threads that use a manager in every way, and know of every answer whether it may be.
///
/// Registers are keys that one thread writes and all read; sources are behind a cached function or a get_or_load, one
/// thread changes each and then invalidates; counters are counted up by all. Without faults every check is strict.
class ChaosWork : public ChaosChecks {
 public:
  static constexpr std::size_t kThreads = 8;

  /// `counters_last`: no server restarts empty.
  ChaosWork(CacheManager& cache, std::uint64_t seed, bool counters_last)
      : cache_(cache),
        seed_(seed),
        counters_last_(counters_last),
        wrapped_(cache.cached({.ttl = std::chrono::seconds(60), .prefix = "src", .tags = {"src:{0}"}}, Load{this})) {}

  /// One thread's work until `stop` is set.
  void work(std::size_t me, const std::atomic<bool>& stop) {
    std::mt19937_64 random(seed_ * 1000 + me);
    while (!stop) step(me, random);
  }
  /// Looks at everything once, for when the faults are over.
  void look_at_all() {
    for (std::size_t owner = 0; owner < kThreads; ++owner) {
      for (std::size_t k = 0; k < kRegisters; ++k) read_register(owner, k);
      call_wrapped(owner);
      call_manual(owner);
    }
    for (std::size_t k = 0; k < kCounters; ++k) read_counter(k);
  }

  std::atomic<std::uint64_t> hits = 0, stored = 0, loads = 0;

 private:
  static constexpr std::size_t kRegisters = 4, kCounters = 4;
  using Random = std::mt19937_64;

  struct Load {
    ChaosWork* work;
    std::string operator()(int k) const {
      return work->load("src:" + std::to_string(k), work->wrapped_sources_.at(index(k)));
    }
  };
  static std::size_t index(int k) { return static_cast<std::size_t>(k); }

  std::string load(const std::string& key, const VersionedSource& source) {
    if (++loads % 20 == 0) throw SourceDown();
    return CheckedValue{key, source.read()}.text();
  }

  void step(std::size_t me, Random& random) {
    const std::size_t any = random() % kThreads, k = random() % kRegisters;
    const unsigned draw = static_cast<unsigned>(random() % 100);
    if (draw < 30) return read_register(any, k);
    if (draw < 45) return write_register(me, k);
    if (draw < 52) return remove_register(me, k);
    if (draw < 60) return count(random() % kCounters);
    if (draw < 65) return read_counter(random() % kCounters);
    if (draw < 78) return call_wrapped(any);
    if (draw < 86) return call_manual(any);
    if (draw < 91) return change_wrapped(me, random);
    if (draw < 96) return change_manual(me, random);
    remove_registers(me, draw < 98);
  }

  // --- registers

  static std::string register_key(std::size_t owner, std::size_t k) {
    return "reg:w" + std::to_string(owner) + ":" + std::to_string(k);
  }
  void read_register(std::size_t owner, std::size_t k) {
    const std::string key = register_key(owner, k);
    const SingleWriter& written = registers_.at(owner).at(k);
    timed("get", [&] {
      const std::uint64_t floor = written.floor();
      const auto found = cache_.get(key);
      if (!found) return;
      ++hits;
      const std::uint64_t number = number_of(key, *found);
      if (number != 0 && !written.may_be_seen(number, floor)) {
        findings.add("outdated: " + key + " is " + std::to_string(number) + " after " + std::to_string(floor));
      }
    });
  }
  void write_register(std::size_t me, std::size_t k) {
    const std::string key = register_key(me, k);
    SingleWriter& written = registers_.at(me).at(k);
    const std::uint64_t number = written.begin();
    bool acknowledged = false;
    timed("set", [&] {
      const EntryOptions options{.ttl = std::chrono::seconds(60), .tags = {"w" + std::to_string(me)}};
      acknowledged = bool(cache_.set(key, CheckedValue{key, number}.text(), options));
    });
    if (!acknowledged) return written.doubt(number);
    ++stored;
    written.acknowledge(number);
  }
  /// A removal counts for this process when the call returns, whether the server heard of it or not.
  void remove_register(std::size_t me, std::size_t k) {
    SingleWriter& written = registers_.at(me).at(k);
    const std::uint64_t number = written.begin();
    timed("del", [&] { cache_.del(register_key(me, k)); });
    written.acknowledge(number);
  }
  void remove_registers(std::size_t me, bool by_pattern) {
    std::array<std::uint64_t, kRegisters> numbers{};
    for (std::size_t k = 0; k < kRegisters; ++k) numbers.at(k) = registers_.at(me).at(k).begin();
    const std::string mine = "w" + std::to_string(me);
    if (by_pattern) {
      timed("delete_pattern", [&] { cache_.delete_pattern(mine + ":*", {.prefix = "reg"}); });
    } else {
      timed("invalidate_tag", [&] { cache_.invalidate_tag(mine); });
    }
    for (std::size_t k = 0; k < kRegisters; ++k) registers_.at(me).at(k).acknowledge(numbers.at(k));
  }

  // --- counters

  static std::string counter_key(std::size_t k) { return "n:" + std::to_string(k); }
  void check_count(std::size_t k, std::optional<std::int64_t> value, std::int64_t floor) {
    if (!value || counters_.at(k).may_be_seen(*value, counters_last_ ? floor : 0)) return;
    findings.add(counter_key(k) + " is " + std::to_string(*value) + " after " + std::to_string(floor));
  }
  void count(std::size_t k) {
    CountedUp& counter = counters_.at(k);
    timed("increment", [&] {
      const std::int64_t floor = counter.floor();
      counter.begin();
      const auto value = cache_.increment(counter_key(k));
      if (value) counter.acknowledge();
      check_count(k, value, floor + 1);
    });
  }
  void read_counter(std::size_t k) {
    timed("get of a counter", [&] {
      const std::int64_t floor = counters_.at(k).floor();
      check_count(k, cache_.get<std::int64_t>(counter_key(k)), floor);
    });
  }

  // --- sources

  void check_version(const std::string& key, const std::string& text, const VersionedSource& source,
                     std::uint64_t floor) {
    const std::uint64_t version = number_of(key, text);
    if (version == 0 || (version >= floor && version <= source.read())) return;
    findings.add("outdated: " + key + " is version " + std::to_string(version) + " after " + std::to_string(floor));
  }
  void call_wrapped(std::size_t k) {
    const VersionedSource& source = wrapped_sources_.at(k);
    timed("call", [&] {
      const std::uint64_t floor = source.floor();
      check_version("src:" + std::to_string(k), wrapped_(static_cast<int>(k)), source, floor);
    });
  }
  void call_manual(std::size_t k) {
    const std::string key = "load:" + std::to_string(k);
    const VersionedSource& source = manual_sources_.at(k);
    timed("get_or_load", [&] {
      const std::uint64_t floor = source.floor();
      const EntryOptions options{.ttl = std::chrono::seconds(60), .tags = {key}};
      const std::string text = cache_.get_or_load(
          key, [&, this] { return load(key, source); }, options);
      check_version(key, text, source, floor);
    });
  }
  void change_wrapped(std::size_t k, Random& random) {
    const std::uint64_t version = wrapped_sources_.at(k).change();
    timed("invalidation of a call", [&] {
      const int argument = static_cast<int>(k);
      switch (random() % 4) {
        case 0:
          return (void)wrapped_.invalidate(argument);
        case 1:
          return cache_.invalidate_tag("src:" + std::to_string(k));
        case 2:
          return (void)cache_.delete_pattern("src:" + std::to_string(k));
        default:
          return wrapped_.cache_clear();
      }
    });
    wrapped_sources_.at(k).invalidated(version);
  }
  void change_manual(std::size_t k, Random& random) {
    const std::string key = "load:" + std::to_string(k);
    const std::uint64_t version = manual_sources_.at(k).change();
    timed("invalidation of a key", [&] {
      switch (random() % 3) {
        case 0:
          return (void)cache_.del(key);
        case 1:
          return cache_.invalidate_tag(key);
        default:
          return (void)cache_.delete_pattern("load:[" + std::to_string(k) + "]");
      }
    });
    manual_sources_.at(k).invalidated(version);
  }

  CacheManager& cache_;
  const std::uint64_t seed_;
  const bool counters_last_;
  std::array<std::array<SingleWriter, kRegisters>, kThreads> registers_;
  std::array<CountedUp, kCounters> counters_;
  std::array<VersionedSource, kThreads> wrapped_sources_, manual_sources_;
  cached<Load> wrapped_;
};

}  // namespace dsta::cache::testing_support
