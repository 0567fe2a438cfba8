#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dsta/cache/detail/load.hpp>
#include <dsta/cache/detail/tag_name.hpp>
#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {

/// The context of one load. A wrapped function F may take a `LoadContext<R>&` as its last parameter, where R is its
/// result. Through it F reads the cached value and its etag, and sets the etag, the ttl and tags of the new value. It
/// is not part of the key, and callers do not pass it. For one load, on its thread.
///
///     auto ticker = cache.cached({.ttl = 5s, .prefix = "api", .stale_for = 60s},
///                                [](const std::string& symbol, LoadContext<Ticker>& load) {
///       const auto answer = http.get(symbol, load.etag());
///       if (answer.status == 304) return load.not_modified();
///       load.set_etag(answer.etag);
///       return parse(answer.body);
///     });
template <class R>
class LoadContext {
 public:
  /// For the library.
  LoadContext(const detail::NodeRef& previous, detail::Loaded& loaded) : previous_(previous), loaded_(loaded) {}
  LoadContext(const LoadContext&) = delete;
  LoadContext& operator=(const LoadContext&) = delete;

  /// The value that this load replaces, fresh or stale; null when there is none that may still be served.
  const R* previous() const { return previous_ ? &previous_.template as<R>() : nullptr; }
  /// The etag that was set for that value; empty when none.
  std::string_view etag() const { return previous_ ? detail::etag_of(*previous_) : std::string_view(); }

  /// Sets the etag of the new value, by which the source recognises it.
  void set_etag(std::string etag) { loaded_.etag = std::move(etag); }
  /// Overrides the ttl of the options. Zero or less: do not store.
  void set_ttl(OptionalDuration ttl) { loaded_.ttl = ttl; }
  /// Adds a tag. A tag that is empty or begins with the byte 0x01 is ignored.
  void add_tag(std::string tag) {
    if (detail::is_tag(tag)) loaded_.tags.push_back(std::move(tag));
  }

  /// The previous value is still current: return this, and it is stored again for a whole ttl, with its etag and its
  /// tags. Throws LoadError when there is no previous value.
  R not_modified() {
    if (loaded_.etag.empty()) loaded_.etag = etag();
    return kept("not_modified");
  }
  /// The source is not available: return this, and the previous value stays as it is. The next attempt waits for
  /// `refresh_backoff`. Throws LoadError when there is no previous value.
  R skip() {
    R value = kept("skip");
    loaded_.skipped = true;
    return value;
  }
  /// Throws LoadError with the text `why`. Any exception of F ends the load in the same way.
  [[noreturn]] void fail(const std::string& why) { throw LoadError(why); }

 private:
  const R& kept(const char* call) {
    if (previous_) {
      loaded_.kept = previous_;
      return previous_.template as<R>();
    }
    throw LoadError(std::string("LoadContext::") + call +
                    ": there is no previous value to keep: look at previous() first and return a value or fail()");
  }

  const detail::NodeRef& previous_;
  detail::Loaded& loaded_;
};

}  // namespace v1
}  // namespace dsta::cache
