#include "subjects.hpp"

#include <chrono>
#include <utility>

namespace dsta::cache::fleet_model {
namespace {

using namespace std::chrono_literals;

std::size_t argument_of(const std::string& name) { return std::stoul(name.substr(1)); }

/// Every third version of an optional's source is nothing.
template <class R>
R answer(const Stamp& stamp) {
  if constexpr (std::is_same_v<R, std::optional<std::string>>) {
    if (stamp.version % 3 == 0) return std::nullopt;
  }
  return value_of<R>(stamp);
}

template <class R>
struct Plain {
  using Result = R;
  Sources* sources;
  std::size_t kind;
  const Subject* inner = nullptr;
  R operator()(const std::string& name) const {
    // An invalidation during the inner call revokes this load, too.
    const std::int64_t entered = now();
    if (inner) {
      const auto reader = sources->oracle().reader(cell_of(kind_named("plain"), argument_of(name)));
      const Seen seen = inner->call(argument_of(name));
      sources->oracle().saw(reader, seen.stamp, seen.empty);
    }
    return answer<R>(sources->load(cell_of(kind, argument_of(name)), entered));
  }
};

/// Names its tags, or knows by an etag that what is there is still right.
struct WithContext {
  using Result = std::string;
  Sources* sources;
  std::size_t kind;
  std::string operator()(const std::string& name, LoadContext<std::string>& load) const {
    const std::size_t cell = cell_of(kind, argument_of(name));
    const Stamp stamp = sources->load(cell);
    if (kinds()[kind].keeps_previous) {
      const std::string etag = std::to_string(stamp.version);
      if (load.previous() && load.etag() == etag) return stamp.made_at % 5 == 0 ? load.skip() : load.not_modified();
      load.set_etag(etag);
    } else {
      for (const std::string& tag : {kind_tag(kinds()[kind]), cell_tag(cell), std::string(kSharedTag)})
        load.add_tag(tag);
    }
    return value_of<std::string>(stamp);
  }
};

template <class F>
class Wrapped final : public Subject {
  using R = typename F::Result;

 public:
  explicit Wrapped(cached<F> function) : function_(std::move(function)) {}

  Seen call(std::size_t argument) const override { return seen(function_(argument_name(argument))); }
  Seen shared(std::size_t argument) const override { return seen(*function_.shared(argument_name(argument))); }
  Seen refresh(std::size_t argument) const override { return seen(function_.refresh(argument_name(argument))); }
  std::optional<Seen> peek(std::size_t argument) const override {
    const auto found = function_.peek(argument_name(argument));
    return found ? std::optional(seen(*found)) : std::nullopt;
  }
  void invalidate(std::size_t argument) const override { function_.invalidate(argument_name(argument)); }
  SetResult put(std::size_t argument, const Stamp& stamp) const override {
    return function_.put(argument_name(argument), value_of<R>(stamp));
  }
  std::vector<std::optional<Seen>> many(const std::vector<std::size_t>& arguments) const override {
    std::vector<std::string> names;
    for (const std::size_t argument : arguments) names.push_back(argument_name(argument));
    std::vector<std::optional<Seen>> all;
    for (const auto& outcome : function_.many(names)) {
      all.push_back(outcome.has_value() ? std::optional(seen(outcome.value())) : std::nullopt);
    }
    return all;
  }
  void clear() const override { function_.cache_clear(); }
  void warm(CacheWarmer& warmer, std::size_t argument) const override {
    warmer.warm(function_, std::vector{argument_name(argument)});
  }

 private:
  static Seen seen(const R& value) {
    if constexpr (std::is_same_v<R, std::optional<std::string>>) return {stamp_of(value), !value.has_value()};
    return {stamp_of(value), false};
  }
  cached<F> function_;
};

template <class F>
std::unique_ptr<Subject> wrapped(cached<F> function) {
  return std::make_unique<Wrapped<F>>(std::move(function));
}

std::uint64_t version_of(const std::string& value) {
  const auto stamp = stamp_of(value);
  return stamp ? stamp->version : 0;
}

EntryOptions function_options(const Kind& kind) {
  EntryOptions options{.ttl = std::chrono::milliseconds(kind.ttl_ms),
                       .prefix = std::string(kind.prefix),
                       .name = std::string(kind.name),
                       .negative_ttl = 60s};
  if (kind.tags == Kind::by_options) {
    options.tags = {kind_tag(kind), kind_tag(kind) + ":{0}", std::string(kSharedTag)};
    if (kind.name == "symbol") options.tags.push_back("symbol:{0}");
    if (kind.name == "user") options.tags.push_back("user:{0}");
  }
  if (kind.level != Level::both) options.level = kind.level;
  if (kind.raw) options.raw = true;
  if (kind.stale_ms > 0) options.stale_for = std::chrono::milliseconds(kind.stale_ms);
  if (kind.name == "soft") options.soft_timeout = 2s;
  if (kind.name == "on_executor") options.load_timeout = 10s;
  if (kind.name == "timeout") options.load_timeout = 30ms;
  if (kind.name == "ahead") options.refresh_ahead = 0.5;
  if (kind.name == "xfetch") options.xfetch = 3;
  if (kind.name == "jitter") options.jitter = 0.5;
  return options;
}

std::vector<std::string> tags_of(const std::string& value) {
  const auto stamp = stamp_of(value);
  if (!stamp) return {};
  return {kind_tag(kind_of(stamp->cell)), cell_tag(stamp->cell), std::string(kSharedTag)};
}

}  // namespace

std::unique_ptr<Subject> make_subject(CacheManager& cache, Sources& sources, std::size_t number, const Subject* inner) {
  using Text = Plain<std::string>;
  const Kind& kind = kinds()[number];
  const EntryOptions options = function_options(kind);
  const Text text{&sources, number};
  if (kind.name == "number") return wrapped(cache.cached(options, Plain<std::uint64_t>{&sources, number}));
  if (kind.optional) return wrapped(cache.cached(options, Plain<std::optional<std::string>>{&sources, number}));
  if (kind.name == "adaptive_tags") return wrapped(cache.cached(options, text).adaptive_tags(tags_of));
  if (kind.name == "context_tags" || kind.keeps_previous) {
    return wrapped(cache.cached(options, WithContext{&sources, number}));
  }
  if (kind.name == "bulk") {
    return wrapped(cache.cached(options, text).bulk_loader([&sources, number](const std::vector<std::string>& names) {
      std::vector<std::size_t> wanted;
      for (const std::string& name : names) wanted.push_back(cell_of(number, argument_of(name)));
      std::vector<std::string> values;
      for (const Stamp& stamp : sources.load(wanted)) values.push_back(value_of<std::string>(stamp));
      return values;
    }));
  }
  if (kind.name == "nested") return wrapped(cache.cached(options, Text{&sources, number, inner}));
  if (kind.name == "condition") {
    return wrapped(
        cache.cached(options, text).condition([](const std::string& value) { return version_of(value) % 3 != 1; }));
  }
  if (kind.name == "adaptive_ttl") {
    return wrapped(cache.cached(options, text).adaptive_ttl([](const std::string& value) -> Duration {
      return version_of(value) % 3 == 0 ? Duration(100ms) : Duration(60s);
    }));
  }
  if (kind.name == "limited") cache.limit_loads(std::string(kind.prefix), {.concurrent = 1});
  return wrapped(cache.cached(options, text));
}

EntryOptions manual_options(const Kind& kind) {
  EntryOptions options{.ttl = std::chrono::milliseconds(kind.ttl_ms), .prefix = std::string(kind.prefix)};
  if (kind.level != Level::both) options.level = kind.level;
  if (kind.raw) options.raw = true;
  return options;
}

std::string manual_key(std::size_t cell) {
  return std::string(kind_of(cell).name) + ":" + argument_name(cell % kArguments);
}

}  // namespace dsta::cache::fleet_model
