#pragma once
#include <dsta/cache/manager.hpp>
#include <dsta/cache/warmer.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "oracle.hpp"

namespace dsta::cache::fleet_model {

/// What a loader throws that fails.
struct SourceDown : std::runtime_error {
  SourceDown() : std::runtime_error("the source is down") {}
};

/// What a call returned: a stamp, or that there is nothing (an empty optional).
struct Seen {
  std::optional<Stamp> stamp;
  bool empty = false;
};

/// A wrapped function of one kind, for any argument. Thread-safe.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual Seen call(std::size_t argument) const = 0;
  virtual Seen shared(std::size_t argument) const = 0;
  virtual Seen refresh(std::size_t argument) const = 0;
  virtual std::optional<Seen> peek(std::size_t argument) const = 0;
  virtual void invalidate(std::size_t argument) const = 0;
  virtual SetResult put(std::size_t argument, const Stamp& stamp) const = 0;
  /// nullopt where an item ended in an exception.
  virtual std::vector<std::optional<Seen>> many(const std::vector<std::size_t>& arguments) const = 0;
  virtual void clear() const = 0;
  virtual void warm(CacheWarmer& warmer, std::size_t argument) const = 0;
};

/// Loads at the source, and what they cost the thread that ran them.
class Sources {
 public:
  Sources(Board& board, Oracle& oracle, History& history) : board_(board), oracle_(oracle), history_(history) {}

  /// One load of a cell; returns the stamp of what it read. `entered`: when the library called the loader. Throws
  /// SourceDown.
  Stamp load(std::size_t cell, std::int64_t entered = now());
  std::vector<Stamp> load(const std::vector<std::size_t>& cells, std::int64_t entered = now());

  /// Of this thread, since reset().
  static void reset();
  static std::int64_t own_time();
  static std::uint64_t own_loads();

  std::uint64_t version(std::size_t cell) const { return board_.cells[cell].source; }
  Oracle& oracle() const { return oracle_; }
  /// No load takes long while this holds.
  std::atomic<bool> hurry = false;

 private:
  void take_time(bool may_be_slow) const;
  Board& board_;
  Oracle& oracle_;
  History& history_;
};

/// `inner`: what the kind `nested` calls; may be null for the others.
std::unique_ptr<Subject> make_subject(CacheManager& cache, Sources& sources, std::size_t kind, const Subject* inner);

/// Options of manual calls of a kind; the key is `name:argument` under the prefix.
EntryOptions manual_options(const Kind& kind);
std::string manual_key(std::size_t cell);

}  // namespace dsta::cache::fleet_model
