/// The entries of one function by the arguments that their keys begin with.
#include <fmt/format.h>

#include <dsta/cache/detail/leading.hpp>
#include <dsta/cache/key_text.hpp>

#include "entry/dependency.hpp"
#include "entry/key_pattern.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Keys say where an argument ends: no argument has a ':' in it. They do not say whose they are: with the prefix `api`
/// `api:g:1` is what a function without a name stores for ("g", 1), and one of the name `g` for (1). Entries do.
class LeadingPattern final : public KeyPattern {
 public:
  LeadingPattern(std::string_view key, const Identity& function)
      : key_(key), kept_(&function), function_(function), dependency_(function_dependency(function.text())) {}

  /// Short names have no more of the key than these bytes.
  std::vector<std::string> globs() const override { return {glob_escape(key_.substr(0, kShortenedHead)) + "*"}; }
  std::string text() const override { return dependency_ + '\0' + key_; }
  bool leaves(const Identity* stored_by) const override {
    return stored_by && stored_by->function && stored_by != &function_;
  }
  std::string_view dependency() const override { return dependency_; }

 private:
  bool matches(std::string_view key) const override {
    return key.starts_with(key_) && (key.size() == key_.size() || key[key_.size()] == ':');
  }
  bool can_begin_with(std::string_view head) const override {
    return head.size() > key_.size() ? matches(head) : std::string_view(key_).starts_with(head);
  }

  const std::string key_;
  const IdentityRef kept_;  ///< the pattern may wait to be confirmed for longer than the function is known
  const Identity& function_;
  const std::string dependency_;
};

}  // namespace

std::size_t erase_leading(Core& core, std::string_view key, Identity& function) {
  if (key.empty()) {
    throw ConfigError(
        "invalidate_matching: the function has neither prefix nor name, so any key could belong to it: give it one, "
        "use cache_clear, or name an argument");
  }
  const std::size_t erased = core.erase_matching(std::make_shared<LeadingPattern>(key, function));
  function.counters.add(Count::invalidations);
  function.counters.add(Count::deletes, erased);
  return erased;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
