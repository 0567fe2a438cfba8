#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/key.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct Identity;

/// Which keys an invalidation of more than one key is about. The in-process level, L2 and the invalidations that wait
/// to be confirmed all ask `concerns`, so that no level keeps what another one removes. Immutable, thread-safe.
///
/// A key of a wrapped function over kReadableKeyBytes is stored under a shortened name (StoredKey): its head, '#' and a
/// hash. L2 knows nothing else of it, and a lease that stands for its load holds no key at all. There the pattern is
/// about the key when it can match some long text with that head: removing more than was meant costs a load, removing
/// less would leave a wrong value.
class KeyPattern {
 public:
  virtual ~KeyPattern() = default;

  /// `name` is what the entry is stored under; `full` the whole key where it is known and longer, else empty.
  bool concerns(std::string_view name, std::string_view full = {}) const;

  /// Whether it leaves an entry or a load of this function (null: none that is known) although it concerns the key.
  virtual bool leaves(const Identity* /*function*/) const { return false; }
  /// What the entries at L2 depend on that are meant, those apart that depend on no function; empty: all are.
  virtual std::string_view dependency() const { return {}; }

  /// Globs over names: each name that the pattern concerns matches one of them. As few as will do: for each, L2 walks
  /// over all of its keys.
  virtual std::vector<std::string> globs() const = 0;
  /// It as text: equal texts mean equal patterns.
  virtual std::string text() const = 0;
  /// Whether `text` is a glob pattern.
  virtual bool is_glob() const { return false; }

 protected:
  /// Whether it matches the whole key.
  virtual bool matches(std::string_view key) const = 0;
  /// Whether it matches some text of more than kReadableKeyBytes that begins with `head`.
  virtual bool can_begin_with(std::string_view head) const = 0;
};

using KeyPatternPtr = std::shared_ptr<const KeyPattern>;

/// Keys that match a glob. Throws PatternError.
KeyPatternPtr glob_pattern(std::string_view glob);

/// A shortened name is so many bytes of the key, '#', and so many digits.
inline constexpr std::size_t kHashDigits = 32;
inline constexpr std::size_t kShortenedHead = kReadableKeyBytes - kHashDigits - 1;
/// A name that StoredKey makes. (A key of just these bytes that a manual call gives looks the same.)
bool is_shortened(std::string_view name);
/// A glob for the shortened names that begin with `head`, of which the first kShortenedHead bytes count.
std::string shortened_glob(std::string_view head);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
