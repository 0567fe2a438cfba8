#pragma once
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/detail/identity.hpp>
#include <dsta/cache/detail/node.hpp>
#include <dsta/cache/options.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct Found;
class Versions;

/// Entry options with every default filled in.
struct EntryTerms {
  Duration ttl{};
  Duration stale_for{};
  double refresh_ahead = 0;
  double xfetch = 0;
  double jitter = 0;
  std::optional<Duration> negative_ttl;
  Duration idle_ttl{};
  Duration soft_timeout{};
  Duration load_timeout{};
  Duration refresh_backoff{};
  std::optional<std::size_t> compress_above;
  Level level = Level::both;
  bool raw = false;  ///< never at Level::l1, where nothing is written as bytes
  std::vector<std::string> tags;
};

/// What a read found.
enum class Freshness : std::uint8_t {
  miss,
  fresh,
  due,      ///< fresh, and a refresh ahead should start
  stale,    ///< past its ttl, may be served, and a refresh should start
  serving,  ///< past its ttl, may be served, and a refresh is under way already or has just failed
};

/// What a loader came back with. Neither node nor error: the source does not know the key.
struct Loaded {
  NodeRef node;
  std::exception_ptr error;
  bool store = true;      ///< false: hand it to the callers, keep nothing
  bool skipped = false;   ///< the previous value handed on: keep that as it is, and ask again after the refresh backoff
  bool negative = false;  ///< an empty optional: lives for negative_ttl
  OptionalDuration ttl = {};  ///< overrides the terms' ttl
  std::vector<std::string> tags = {};
  std::string etag = {};
  NodeRef kept = {};  ///< the previous entry when its value is handed on: the new one has its tags too
};

/// A value's own ttl: for an empty optional negative_ttl, none meaning do not store; else what the value says; else the
/// terms'.
inline Duration ttl_of(const Loaded& loaded, const EntryTerms& terms) {
  return loaded.negative ? terms.negative_ttl.value_or(Duration::zero()) : loaded.ttl.value_or(terms.ttl);
}

/// The etag an entry was stored with; empty when none.
std::string_view etag_of(const Node& node) noexcept;

/// Whose value is loaded, and how it is to be kept.
struct LoadSpec {
  /// By which its loads are limited, and which errors name.
  const std::string& prefix() const { return given_prefix ? *given_prefix : identity->prefix; }

  std::shared_ptr<const EntryTerms> terms;
  Identity* identity = nullptr;
  const TypeOps* type = nullptr;
  const std::string* given_prefix = nullptr;  ///< of a manual call that is counted under another
  bool names_tags = false;                    ///< the value may name tags that are not known before
  bool wants_previous = false;                ///< the loader is shown the value that it replaces
};

/// A load that outlives the call that asked for it: owns the function and its arguments.
class Loader : public LoadSpec {
 public:
  virtual ~Loader() = default;
  /// Runs user code; never under a lock. `previous` is the value to be replaced, null when there is none; it is looked
  /// up only for loaders that ask for it.
  virtual Loaded load(const KeyView& key, const NodeRef& previous) = 0;

  std::vector<std::string> tags;
};

/// One key of a batch: what is asked for, and what it came to (neither value nor error: the source does not know it).
struct BatchItem {
  KeyView key;
  std::vector<std::string> tags;
  NodeRef value = {};
  std::exception_ptr error = {};
};

/// A load of many keys by one call of user code. Owns the function and the arguments of all items of its batch.
class BatchLoader : public LoadSpec {
 public:
  struct Call {
    std::size_t item;  ///< index in the batch
    KeyView key;
  };
  virtual ~BatchLoader() = default;
  /// Runs user code; never under a lock. Answers in the order of the calls.
  virtual std::vector<Loaded> load(const std::vector<Call>& calls) = 0;
};

enum class LoadMode {
  get,      ///< a fresh value will do
  refresh,  ///< a value whose load begins after this call
};

/// What became of a value that was to be stored.
struct PutOutcome {
  enum Status {
    stored,
    not_stored_ttl,
    not_stored_weight,
    not_stored_key,
    not_stored_closed,  ///< `why`
    not_stored_server,  ///< `why`
    unknown,            ///< `why`
  };
  PutOutcome(Status status_, std::string_view why_ = {}) : status(status_), why(why_) {}
  friend bool operator==(const PutOutcome& outcome, Status wanted) { return outcome.status == wanted; }

  Status status;
  std::string_view why;  ///< lives as long as the process
};

/// Which levels a manual call goes to.
struct Reach {
  bool l1 = true;
  bool l2 = false;
  bool raw = false;
  const Identity* counted =
      nullptr;  ///< for whom what cannot be decoded is counted; null: manual calls without a prefix
};

/// A key that L2 is asked for.
struct Fetched {
  KeyView key;
  NodeRef node = {};
  Freshness freshness = Freshness::miss;
  bool asked = false;                              ///< the server answered
  bool nothing = false;                            ///< that there is nothing
  const std::vector<std::string>* tags = nullptr;  ///< an entry without one of these does not count
  std::shared_ptr<Found> found = {};
  std::shared_ptr<Versions> versions = {};  ///< that were read or known with it
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
