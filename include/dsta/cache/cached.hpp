#pragma once
#include <concepts>
#include <exception>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <dsta/cache/detail/batch_call.hpp>
#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/detail/hash.hpp>
#include <dsta/cache/detail/leading.hpp>
#include <dsta/cache/detail/signature.hpp>
#include <dsta/cache/detail/wrap_check.hpp>
#include <dsta/cache/detail/wrapper.hpp>
#include <dsta/cache/outcome.hpp>
#include <dsta/cache/set_result.hpp>
#include <dsta/cache/stats.hpp>

namespace dsta::cache {
inline namespace v1 {

/// A function with a memory: called like F, it returns what F returned for equal arguments within the ttl. Thread-safe;
/// cheap to copy, all copies are one. Made by CacheManager::cached. Outliving its manager is fine: it then calls F.
///
/// Concurrent calls with equal arguments run F once; the others wait and get the same value or the same exception. An
/// exception of F passes through unchanged and nothing is stored. A call throws by itself only RecursiveLoadError (F
/// asks for the key it is loading), LoadTimeoutError and OverloadError (load_timeout).
template <class F>
class cached {
  template <class... Arguments>
  using Result = detail::result_t<F, Arguments...>;
  using State = detail::WrapperState<F>;

 public:
  explicit cached(std::shared_ptr<State> state) : state_(std::move(state)) {}

  /// The cached value, or F's own.
  template <class... Arguments>
  Result<Arguments...> operator()(Arguments&&... arguments) const {
    using R = Result<Arguments...>;
    constexpr const auto& kType = detail::call_type<F, R, Arguments...>();
    const detail::CallKey key(*state_, arguments...);
    if constexpr (kType.bitwise) {
      detail::Raw<R> raw;
      if (reads_here(*state_) && state_->core->hit_bitwise(key.view(), kType, *state_->identity, raw.bytes)) {
        count_negative(raw.value());
        return raw.value();
      }
    } else {
      detail::NodeRef node;
      if (reads_here(*state_) &&
          state_->core->read(key.view(), kType, state_->identity, node) == detail::Freshness::fresh) {
        state_->identity->counters.add(detail::Count::hits);
        count_negative(node.template as<R>());
        return node.template as<R>();
      }
    }
    return load<R>(key, detail::LoadMode::get, std::forward<Arguments>(arguments)...).template as<R>();
  }

  /// The same without copying the value: for large ones.
  template <class... Arguments>
  std::shared_ptr<const Result<Arguments...>> shared(Arguments&&... arguments) const {
    using R = Result<Arguments...>;
    constexpr const auto& kType = detail::call_type<F, R, Arguments...>();
    const detail::CallKey key(*state_, arguments...);
    detail::NodeRef node;
    if (reads_here(*state_) &&
        state_->core->read(key.view(), kType, state_->identity, node) == detail::Freshness::fresh) {
      state_->identity->counters.add(detail::Count::hits);
    } else {
      node = load<R>(key, detail::LoadMode::get, std::forward<Arguments>(arguments)...);
    }
    const R* value = &node.template as<R>();
    // The entry goes before the core: its tags are the core's.
    using Held = std::pair<std::shared_ptr<detail::Core>, detail::NodeRef>;
    return {std::make_shared<Held>(state_->core, std::move(node)), value};
  }

  /// Runs F now, stores and returns its value. Loads begun earlier are joined no more, and never replace that value.
  template <class... Arguments>
  Result<Arguments...> refresh(Arguments&&... arguments) const {
    using R = Result<Arguments...>;
    const detail::CallKey key(*state_, arguments...);
    return load<R>(key, detail::LoadMode::refresh, std::forward<Arguments>(arguments)...).template as<R>();
  }

  /// The cached value, without ever running F and without counting.
  template <class... Arguments>
  std::optional<Result<Arguments...>> peek(const Arguments&... arguments) const {
    using R = Result<const Arguments&...>;
    constexpr const auto& kType = detail::call_type<F, R, Arguments...>();
    const detail::CallKey key(*state_, arguments...);
    detail::NodeRef node;
    if (reads_here(*state_)) state_->core->read(key.view(), kType, state_->identity, node);
    if (!node && state_->core->has_shared() && kType.shareable) {
      const std::vector<std::string> tags = detail::tags_for(*state_, arguments...);
      detail::Fetched item{key.view()};
      item.tags = &tags;
      const detail::TypeOps* types[] = {&kType};
      state_->core->fetch(std::span(&item, 1), types, state_->identity, *state_->terms, {});
      node = std::move(item.node);
    }
    if (!node) return std::nullopt;
    return std::optional<R>(std::in_place, node.template as<R>());
  }

  /// Forgets the value for these arguments; a load under way is not stored. True when there was one.
  template <class... Arguments>
  bool invalidate(const Arguments&... arguments) const {
    const detail::CallKey key(*state_, arguments...);
    state_->identity->counters.add(detail::Count::invalidations);
    const bool erased = state_->core->erase(key.view(), {.l2 = state_->terms->level != Level::l1});
    if (erased) state_->identity->counters.add(detail::Count::deletes);
    return erased;
  }

  /// The same for every value whose first arguments are these, whatever the further ones; without any, for all values
  /// of the function. Returns how many there were. Looks at every key in the manager, and at the server. Throws
  /// ConfigError for a wrapper with a key_builder.
  template <class... Leading>
  std::size_t invalidate_matching(const Leading&... leading) const {
    return detail::erase_leading(*state_, leading...);
  }

  /// Stores a value that was come by otherwise: put(arguments…, value).
  template <class... ArgumentsAndValue>
  SetResult put(ArgumentsAndValue&&... arguments_and_value) const {
    static_assert(sizeof...(ArgumentsAndValue) > 0, "put takes the arguments and then the value");
    auto all = std::forward_as_tuple(std::forward<ArgumentsAndValue>(arguments_and_value)...);
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return put_value(std::get<sizeof...(I)>(std::move(all)), std::get<I>(all)...);
    }
    (std::make_index_sequence<sizeof...(ArgumentsAndValue) - 1>{});
  }

  /// The key for these arguments, as the manager's manual calls take it (without a prefix option).
  template <class... Arguments>
  std::string key_for(const Arguments&... arguments) const {
    const detail::CallKey key(*state_, arguments...);
    return std::string(key.view().name);
  }

  /// A call for each item of a range: an argument, or a tuple of arguments. Equal items are asked for once; each item
  /// has its own outcome, and they stand in the order of the items.
  ///
  /// With a bulk_loader, what has to be loaded is loaded by one call of it; items that somebody else is loading are
  /// waited for instead. Without one, F is called for one item after another.
  template <std::ranges::input_range Range>
  auto many(const Range& items) const {
    using Item = std::ranges::range_value_t<const Range>;
    using R = typename detail::ItemResult<F, Item>::type;
    if constexpr (detail::Signature<F>::known) {
      if (state_->load_many) return detail::call_batch<R>(state_, items);
    }
    std::vector<Outcome<R>> outcomes;
    std::map<std::string, std::size_t> first;
    for (const Item& item : items) {
      auto key = detail::with_item(item, [&](const auto&... arguments) { return key_for(arguments...); });
      const auto [known, fresh] = first.try_emplace(std::move(key), outcomes.size());
      if (!fresh) {
        outcomes.push_back(outcomes[known->second]);
        continue;
      }
      try {
        outcomes.emplace_back(detail::with_item(item, [&](const auto&... arguments) { return (*this)(arguments...); }));
      } catch (...) {  // handed over in the outcome
        outcomes.emplace_back(std::current_exception());
      }
    }
    return outcomes;
  }
  template <class Item>
  auto many(std::initializer_list<Item> items) const {
    return many(std::vector<owned_item_t<Item>>(items.begin(), items.end()));
  }

  FunctionInfo cache_info() const { return function_info(*state_->identity); }

  /// Forgets every value of this function, and only of it: O(1), space is reclaimed behind.
  void cache_clear() const {
    state_->identity->counters.add(detail::Count::invalidations);
    state_->core->clear(*state_->identity);
  }

  /// The key of a call is `prefix:name:` + what `build(arguments…)` returns, as given. Leave out arguments that do not
  /// change the value. Returns the wrapper: chain it where the wrapper is made.
  template <class Build>
  cached key_builder(Build build) && {
    static_assert(detail::Signature<F>::known,
                  "key_builder needs to know the parameter types: spell them out instead of auto");
    state_->build_key = [build = std::move(build)](detail::KeyBuffer& out, const auto&... arguments) {
      const auto& key = build(arguments...);
      if constexpr (std::convertible_to<decltype(key), std::string_view>) {
        out.append(key);
      } else {
        detail::append_part(out, key);
      }
    };
    return std::move(*this);
  }

  /// Loads many at once: `load(items)` takes a std::vector of arguments (of tuples, when F takes several) and returns,
  /// in their order, a std::vector of R, of std::optional<R> or of Outcome<R>; or a map from argument to R that leaves
  /// out what there is not. `many` uses it; single calls go on to run F. An exception is that of all its items.
  template <class Load>
  cached bulk_loader(Load load) && {
    static_assert(detail::Signature<F>::known,
                  "bulk_loader needs to know the parameter types: spell them out instead of auto");
    state_->load_many = [load = std::move(load)](const auto& items) {
      return detail::to_outcomes<typename State::R>(load(items), items);
    };
    return std::move(*this);
  }

  /// Stores only results for which `keep(result)` is true; the others are returned all the same.
  template <class Keep>
  cached condition(Keep keep) && {
    static_assert(detail::Signature<F>::known,
                  "condition needs to know the result type: spell the parameters out instead of auto");
    state_->keep = std::move(keep);
    return std::move(*this);
  }

  /// The ttl of a value as the value itself says it: `ttl_of(result)` returns a duration; zero or less: do not store.
  template <class TtlOf>
  cached adaptive_ttl(TtlOf ttl_of) && {
    static_assert(detail::Signature<F>::known,
                  "adaptive_ttl needs to know the result type: spell the parameters out instead of auto");
    state_->ttl_of = std::move(ttl_of);
    return std::move(*this);
  }

  /// More tags, from the value: `tags_of(result)` returns a std::vector<std::string>.
  template <class TagsOf>
  cached adaptive_tags(TagsOf tags_of) && {
    static_assert(detail::Signature<F>::known,
                  "adaptive_tags needs to know the result type: spell the parameters out instead of auto");
    if (state_->is_raw()) detail::refuse_raw_tags("adaptive_tags");
    state_->tags_of = std::move(tags_of);
    return std::move(*this);
  }

 private:
  /// An empty optional that was remembered.
  template <class R>
  void count_negative(const R& value) const {
    if constexpr (detail::is_optional<R>) {
      if (!value) state_->identity->counters.add(detail::Count::negative_hits);
    }
  }

  template <class Item>
  using owned_item_t = detail::owned_t<Item>;

  template <class Value, class... Arguments>
  SetResult put_value(Value&& value, const Arguments&... arguments) const {
    using R = Result<const Arguments&...>;
    const detail::CallKey key(*state_, arguments...);
    detail::check_value(value);  // before it is copied
    R kept(std::forward<Value>(value));
    if constexpr (!std::same_as<R, std::remove_cvref_t<Value>>) detail::check_value(kept);
    detail::Loaded loaded;
    detail::finish_load(*state_, kept, loaded);
    detail::EntryTerms terms = *state_->terms;
    terms.ttl = ttl_of(loaded, terms);
    auto tags = detail::tags_for(*state_, arguments...);
    tags.insert(tags.end(), loaded.tags.begin(), loaded.tags.end());
    if (state_->is_raw() && !tags.empty()) detail::refuse_raw_tags(tags.front());
    auto node = detail::make_node<R>(key.view(), std::move(kept));
    node->type = &detail::call_type<F, R, Arguments...>();
    return detail::to_set_result(state_->core->put(std::move(node), terms, tags, state_->identity),
                                 state_->identity->counters);
  }

  template <class R, class... Arguments>
  detail::NodeRef load(const detail::CallKey<F>& key, detail::LoadMode mode, Arguments&&... arguments) const {
    return state_->core->load(key.view(), detail::make_loader<R>(state_, std::forward<Arguments>(arguments)...), mode);
  }

  std::shared_ptr<State> state_;
};

}  // namespace v1
}  // namespace dsta::cache
