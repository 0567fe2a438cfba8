#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/detail/identity.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Every wrapped function and every prefix of manual calls that a manager has seen. Thread-safe; what it returns lives
/// as long as it does.
class IdentityTable {
 public:
  struct Registered {
    Identity& identity;
    bool replaced;  ///< true: an earlier function of this identity, gone by now, is not known to be the same
  };
  /// Throws ConfigError when another function, alive, has this identity.
  Registered add(const std::string& prefix, const std::string& name, const FunctionMark& mark);
  void release(const Identity& identity) noexcept;
  /// Null: no function has this text (see Identity::text).
  Identity* find(std::string_view text) const;

  /// Where manual calls under a prefix are counted. Beyond kMostPrefixes all further ones share "(other)".
  Identity& manual(std::string_view prefix);

  void each(const std::function<void(Identity&)>& visit) const;

  /// Notes the tags that a function's entries carry from now on. Bit N of `plain`: tags spell argument N plainly.
  void note_tags(const Identity& identity, const std::vector<std::string>& tags, unsigned plain);
  /// True when every entry under `prefix` carries a tag `kind:…`: all functions there name one, and nothing was stored
  /// by hand.
  bool all_carry(std::string_view prefix, std::string_view kind) const;

 private:
  static constexpr std::size_t kSlots = 1024;
  static constexpr std::size_t kMostPrefixes = 512;

  struct Function {
    Identity identity;
    FunctionMark mark;
    std::size_t alive = 0;
    std::vector<std::string> tag_kinds;  ///< of the tags `kind:{N}` that every wrapper of it names
    bool tags_noted = false;
  };

  Identity* lookup(std::string_view prefix, std::size_t& slot) const;

  mutable std::mutex mutex_;
  // Under mutex_.
  std::map<std::string, std::unique_ptr<Function>, std::less<>> functions_;
  std::vector<std::unique_ptr<Identity>> manual_;
  Identity other_{.prefix = "(other)"};
  // Open addressing, entries are only ever added: read without the lock.
  std::atomic<Identity*> slots_[kSlots] = {};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
