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

/// What a wrapped function may know of its load and say about it, beside returning a value: F takes a
/// `LoadContext<R>&` as its last parameter, R being what it returns. It is no part of the key and callers do not pass
/// it. For one load, on its thread.
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
  LoadContext(const detail::NodeRef& previous, detail::Loaded& loaded) : previous_(previous), loaded_(loaded) {}
  LoadContext(const LoadContext&) = delete;
  LoadContext& operator=(const LoadContext&) = delete;

  /// The value to be replaced, fresh or past its ttl; null when there is none that may still be served.
  const R* previous() const { return previous_ ? &previous_.template as<R>() : nullptr; }
  /// What set_etag said of that value; empty when nothing.
  std::string_view etag() const { return previous_ ? detail::etag_of(*previous_) : std::string_view(); }

  /// By what the source recognises the new value again.
  void set_etag(std::string etag) { loaded_.etag = std::move(etag); }
  /// Overrides the ttl of the options. Zero or less: do not store.
  void set_ttl(OptionalDuration ttl) { loaded_.ttl = ttl; }
  /// One tag more. An empty one, and one that begins with a byte 1, is none.
  void add_tag(std::string tag) {
    if (detail::is_tag(tag)) loaded_.tags.push_back(std::move(tag));
  }

  /// The source says that the previous value is still right: return this, and it is stored again for a whole ttl, with
  /// its etag and its tags. Throws LoadError when there is no previous value.
  R not_modified() {
    if (loaded_.etag.empty()) loaded_.etag = etag();
    return kept("not_modified");
  }
  /// The source could not be asked: return this, and the previous value stays as it is; the next attempt waits for
  /// `refresh_backoff`. Throws LoadError when there is no previous value.
  R skip() {
    R value = kept("skip");
    loaded_.skipped = true;
    return value;
  }
  /// Ends the load with a LoadError that says why; what an exception of F's own does too.
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
