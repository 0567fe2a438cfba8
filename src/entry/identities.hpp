#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/detail/identity.hpp>
#include <dsta/cache/detail/identity_ref.hpp>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The wrapped functions and the prefixes of manual calls that a manager has seen. Thread-safe. Must outlive every
/// IdentityRef.
///
/// A function's record is kept while a wrapper, an entry or a load refers to it. Of those whose wrappers are gone it
/// counts against the budget, so a program may wrap functions without end. Records that nothing refers to rest for a
/// while, in case the function is wrapped again; the oldest of them are forgotten. What a forgotten one must not take
/// along is kept in sums: its statistics (Line), and the point of its last cache_clear, from which new records start.
class IdentityTable {
 public:
  /// `charged` is where the bytes are counted that the budget is to pay. `elsewhere`: entries of a function may still
  /// stand at L2 when none is here any more.
  explicit IdentityTable(std::atomic<std::size_t>& charged, bool elsewhere = false);
  ~IdentityTable();

  struct Registered {
    Identity& identity;
    bool replaced;  ///< true: an earlier function of this identity, gone by now, is not known to be the same
  };
  /// Throws ConfigError when another function, alive, has this identity. The record stays until `release`.
  Registered add(const std::string& prefix, const std::string& name, const FunctionMark& mark);
  /// A wrapper is gone.
  void release(Identity& identity) noexcept;
  /// What its predecessor had stored is cleared.
  void took_over(Identity& identity) noexcept;
  /// Null: no function has this text (see Identity::text).
  IdentityRef find(std::string_view text);
  /// A cache_clear at this point of the invalidation sequence, if there is such a function.
  void clear(std::string_view text, std::uint64_t point);

  /// Where manual calls under a prefix are counted. Beyond kMostPrefixes all further ones share "(other)".
  Identity& manual(std::string_view prefix) {
    Identity* const unnamed = prefix.empty() ? no_prefix_.load(std::memory_order_acquire) : nullptr;
    return unnamed ? *unnamed : look_up_manual(prefix);
  }

  /// All counters, each with the prefix under which it is shown: at most kMostPrefixes and "(other)".
  void each(const std::function<void(const std::string& prefix, Counters&)>& visit) const;

  /// Notes the tags that a function's entries carry from now on. Bit N of `plain`: tags spell argument N plainly.
  /// True: its earlier wrappers, gone by now, named others.
  bool note_tags(const Identity& identity, const std::vector<std::string>& tags, unsigned plain);
  /// True when every entry under `prefix` carries a tag `kind:…`: all functions there name one, and nothing was stored
  /// by hand.
  bool all_carry(std::string_view prefix, std::string_view kind) const;

 private:
  friend void release_identity(const Identity& identity) noexcept;

  static constexpr std::size_t kSlots = 1024;
  static constexpr std::size_t kMostPrefixes = 512;
  /// Of records that nothing refers to; they do not count against the budget. More where values outlive them at L2,
  /// since only the record can tell that the next function of the identity is another one.
  std::size_t most_idle() const { return std::size_t{elsewhere_ ? 4096u : 512u} << 10; }

  /// What statistics show for a prefix.
  struct Line {
    std::string prefix;
    Counters gone = {};  ///< what functions had counted that are forgotten
    bool forgot = false;
    std::vector<std::string> tag_kinds = {};  ///< that all forgotten ones named
  };
  struct Manual : Identity {
    Line* line = nullptr;
  };
  struct Function;
  using Functions = std::map<std::string, std::unique_ptr<Function>, std::less<>>;

  Identity& look_up_manual(std::string_view prefix);
  Identity* find_manual(std::string_view prefix, std::uint64_t hash, std::size_t& slot) const;
  Line& line(std::string_view prefix) DSTA_REQUIRES(mutex_);
  Function& record(const std::string& text, const std::string& prefix, const std::string& name) DSTA_REQUIRES(mutex_);
  void add_reference(Function& function) noexcept DSTA_REQUIRES(mutex_);
  void drop_reference(Function& function) noexcept DSTA_REQUIRES(mutex_);
  void forget(Function& function) noexcept DSTA_REQUIRES(mutex_);
  void unlink(Function& function) noexcept DSTA_REQUIRES(mutex_);

  std::atomic<std::size_t>& charged_;
  const bool elsewhere_;
  mutable Mutex mutex_;
  Functions functions_ DSTA_GUARDED_BY(mutex_);
  Function* oldest_idle_ DSTA_GUARDED_BY(mutex_) = nullptr;
  Function* newest_idle_ DSTA_GUARDED_BY(mutex_) = nullptr;
  std::size_t idle_bytes_ DSTA_GUARDED_BY(mutex_) = 0;
  /// The latest cache_clear of a forgotten function.
  std::uint64_t forgotten_cleared_ DSTA_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::unique_ptr<Line>, std::less<>> lines_ DSTA_GUARDED_BY(mutex_);
  mutable Line other_line_ DSTA_GUARDED_BY(mutex_){.prefix = "(other)"};
  std::vector<std::unique_ptr<Manual>> manual_ DSTA_GUARDED_BY(mutex_);
  mutable Identity other_{.prefix = "(other)"};
  // Open addressing; entries are only ever added: 16 bits of the hash beside a 48-bit pointer. Read without the mutex,
  // written under it.
  std::atomic<std::uint64_t> slots_[kSlots] = {};
  std::atomic<bool> manual_full_{false};       ///< no prefix will be added
  std::atomic<Identity*> no_prefix_{nullptr};  ///< that of the empty prefix, once there is one
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
