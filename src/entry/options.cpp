#include <dsta/cache/options.hpp>

#include <fmt/format.h>

#include <algorithm>

#include <dsta/cache/clock.hpp>
#include <dsta/cache/detail/load.hpp>
#include <dsta/cache/detail/tag_name.hpp>

#include "entry/presets.hpp"

namespace dsta::cache {
inline namespace v1 {

EntryOptions merge(const EntryOptions& base, const EntryOptions& over) {
  EntryOptions merged = base;
  const auto lay = [](auto& under, const auto& top) {
    if (top.has_value()) under = top;
  };
  lay(merged.ttl, over.ttl);
  if (!over.prefix.empty()) merged.prefix = over.prefix;
  if (!over.name.empty()) merged.name = over.name;
  merged.tags.insert(merged.tags.end(), over.tags.begin(), over.tags.end());
  lay(merged.stale_for, over.stale_for);
  lay(merged.refresh_backoff, over.refresh_backoff);
  lay(merged.refresh_ahead, over.refresh_ahead);
  lay(merged.xfetch, over.xfetch);
  lay(merged.jitter, over.jitter);
  lay(merged.negative_ttl, over.negative_ttl);
  lay(merged.idle_ttl, over.idle_ttl);
  lay(merged.soft_timeout, over.soft_timeout);
  lay(merged.load_timeout, over.load_timeout);
  lay(merged.compress_above, over.compress_above);
  lay(merged.level, over.level);
  lay(merged.raw, over.raw);
  return merged;
}

namespace detail {

// Before the objects of other files: their constructors may use a cache.
__attribute__((init_priority(101))) const EntryOptions kNoOptions;

namespace {

constexpr Duration kRefreshBackoff = std::chrono::seconds(5);

double fraction(const std::optional<double>& value, const char* name) {
  const double f = value.value_or(0);
  if (!(f >= 0 && f <= 1)) {
    throw ConfigError(fmt::format("{} is a fraction of the ttl: {} is not between 0 and 1", name, f));
  }
  return f;
}

Duration not_negative(const OptionalDuration& value, const char* name) {
  const Duration duration = value.value_or(Duration::zero());
  if (duration < Duration::zero()) throw ConfigError(fmt::format("{} is negative: give 0 for none", name));
  return duration;
}

double factor(const std::optional<double>& value, const char* name) {
  const double f = value.value_or(0);
  if (!(f >= 0 && f <= 1e6)) throw ConfigError(fmt::format("{} is a factor: {} is not between 0 and 1000000", name, f));
  return f;
}

}  // namespace

void refuse_names(const EntryOptions& options, std::string_view scope, std::string_view prefix) {
  const bool names_prefix = !options.prefix.empty() && options.prefix != prefix;
  if (!names_prefix && options.name.empty()) return;
  throw ConfigError(
      fmt::format("{} has .{} '{}', which would have no effect: give prefix and name where you wrap a function or "
                  "call, and leave them out here",
                  scope, names_prefix ? "prefix" : "name", names_prefix ? options.prefix : options.name));
}

EntryTerms resolve(const OptionLayers& layers, Duration default_ttl) {
  // By reference: each write comes here, and a copy of the options costs more than the write.
  const auto last = [&]<class Field>(Field EntryOptions::*field) -> const Field& {
    for (std::size_t i = layers.size() - 1; i > 0; --i) {
      if (layers[i] && (layers[i]->*field).has_value()) return layers[i]->*field;
    }
    return layers[0]->*field;
  };
  EntryTerms terms;
  terms.ttl = last(&EntryOptions::ttl).value_or(default_ttl);
  terms.stale_for = not_negative(last(&EntryOptions::stale_for), "stale_for");
  terms.refresh_ahead = fraction(last(&EntryOptions::refresh_ahead), "refresh_ahead");
  terms.jitter = fraction(last(&EntryOptions::jitter), "jitter");
  if (last(&EntryOptions::negative_ttl).has_value())
    terms.negative_ttl = last(&EntryOptions::negative_ttl).value_or({});
  terms.idle_ttl = not_negative(last(&EntryOptions::idle_ttl), "idle_ttl");
  terms.soft_timeout = not_negative(last(&EntryOptions::soft_timeout), "soft_timeout");
  terms.load_timeout = not_negative(last(&EntryOptions::load_timeout), "load_timeout");
  terms.refresh_backoff = last(&EntryOptions::refresh_backoff).has_value()
                              ? not_negative(last(&EntryOptions::refresh_backoff), "refresh_backoff")
                              : kRefreshBackoff;
  terms.xfetch = factor(last(&EntryOptions::xfetch), "xfetch");
  terms.compress_above = last(&EntryOptions::compress_above);
  terms.level = last(&EntryOptions::level).value_or(Level::both);
  terms.raw = last(&EntryOptions::raw).value_or(false);
  for (const EntryOptions* const layer : layers) {
    if (layer) terms.tags.insert(terms.tags.end(), layer->tags.begin(), layer->tags.end());
  }
  if (!std::ranges::all_of(terms.tags, is_tag)) {
    throw ConfigError("tags: a tag must not be empty or begin with the byte 0x01: name it, or leave it out");
  }
  if (terms.raw && terms.stale_for > Duration::zero()) {
    throw ConfigError("raw and stale_for cannot be combined: a raw value has nothing but its ttl");
  }
  terms.raw = terms.raw && terms.level != Level::l1;
  if (terms.raw) {
    if (!terms.tags.empty()) {
      throw ConfigError(
          fmt::format("raw and the tag '{}' cannot be combined: a raw value carries no tags: invalidate it "
                      "by key, pattern or function, or leave out raw",
                      terms.tags.front()));
    }
    if (terms.refresh_ahead > 0 || terms.xfetch > 0) {
      throw ConfigError("raw and refresh_ahead or xfetch cannot be combined: a raw value has nothing but its ttl");
    }
  }
  return terms;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
