#pragma once
/// The members of `cached`.
#include <concepts>
#include <cstddef>
#include <exception>
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

#include <dsta/cache/cached.hpp>
#include <dsta/cache/detail/batch_call.hpp>
#include <dsta/cache/detail/call_key.hpp>
#include <dsta/cache/detail/call_loader.hpp>
#include <dsta/cache/detail/hit_copy.hpp>
#include <dsta/cache/detail/hook_check.hpp>
#include <dsta/cache/detail/leading.hpp>

namespace dsta::cache {
inline namespace v1 {

template <class F>
template <class... Arguments>
  requires detail::Takes<F, Arguments...>
[[gnu::always_inline]] inline detail::result_t<F, Arguments...> cached<F>::operator()(Arguments&&... arguments) const {
  return call(std::forward<Arguments>(arguments)...);
}

template <class F>
template <class... Arguments>
detail::result_t<F, Arguments...> cached<F>::call(Arguments&&... arguments) const {
  using R = detail::result_t<F, Arguments...>;
  constexpr const auto& kType = detail::call_type<F, R, Arguments...>();
  const detail::CallKey<F> key(*state_, arguments...);
  if constexpr (kType.bitwise) {
    detail::Raw<R> raw;
    if (state_->reads_here(kType) &&
        state_->core->hit_by(key.view(), kType, *state_->identity, &detail::copy_raw<R>, raw.bytes)) {
      count_negative(raw.value());
      return raw.value();
    }
  } else if constexpr (detail::kCopiesQuietly<R>) {
    std::optional<R> value;
    if (state_->reads_here(kType) &&
        state_->core->hit_by(key.view(), kType, *state_->identity, &detail::copy_into<R>, &value)) {
      count_negative(*value);
      return *std::move(value);
    }
  } else {
    detail::NodeRef node;
    if (state_->reads_here(kType) && state_->core->hit_node(key.view(), kType, *state_->identity, node)) {
      count_negative(node.template as<R>());
      return node.template as<R>();
    }
  }
  return load<R>(key, detail::LoadMode::get, std::forward<Arguments>(arguments)...).template as<R>();
}

template <class F>
template <class... Arguments>
std::shared_ptr<const detail::result_t<F, Arguments...>> cached<F>::shared(Arguments&&... arguments) const {
  if constexpr (detail::check_arguments<F, Arguments...>()) {
    using R = detail::result_t<F, Arguments...>;
    constexpr const auto& kType = detail::call_type<F, R, Arguments...>();
    const detail::CallKey<F> key(*state_, arguments...);
    detail::NodeRef node;
    if (!state_->reads_here(kType) || !state_->core->hit_node(key.view(), kType, *state_->identity, node)) {
      node = load<R>(key, detail::LoadMode::get, std::forward<Arguments>(arguments)...);
    }
    const R* value = &node.template as<R>();
    // The entry goes before the core: its tags are the core's.
    using Held = std::pair<std::shared_ptr<detail::Core>, detail::NodeRef>;
    return {std::make_shared<Held>(state_->core->pin(), std::move(node)), value};
  } else {
    return detail::refused<std::shared_ptr<const detail::result_t<F, Arguments...>>>();
  }
}

template <class F>
template <class... Arguments>
detail::result_t<F, Arguments...> cached<F>::refresh(Arguments&&... arguments) const {
  if constexpr (detail::check_arguments<F, Arguments...>()) {
    using R = detail::result_t<F, Arguments...>;
    const detail::CallKey<F> key(*state_, arguments...);
    return load<R>(key, detail::LoadMode::refresh, std::forward<Arguments>(arguments)...).template as<R>();
  } else {
    return detail::refused<detail::result_t<F, Arguments...>>();
  }
}

template <class F>
template <class... Arguments>
std::optional<detail::result_t<F, const Arguments&...>> cached<F>::peek(const Arguments&... arguments) const {
  if constexpr (detail::check_arguments<F, const Arguments&...>()) {
    using R = detail::result_t<F, const Arguments&...>;
    constexpr const auto& kType = detail::call_type<F, R, Arguments...>();
    const detail::CallKey<F> key(*state_, arguments...);
    detail::NodeRef node;
    if (state_->reads_here(kType)) {
      state_->core->read(key.view(), kType, state_->identity, node);
    } else if (state_->may_read_here(kType)) {
      node = detail::read_with_tags(*state_, key.view(), kType, detail::tags_for<F>(*state_, arguments...));
    }
    if (!node && state_->core->has_l2() && kType.shareable) {
      node = detail::fetch_one(*state_, key.view(), kType, detail::tags_for<F>(*state_, arguments...));
    }
    if (!node) return std::nullopt;
    return std::optional<R>(std::in_place, node.template as<R>());
  } else {
    return detail::refused<std::optional<detail::result_t<F, const Arguments&...>>>();
  }
}

template <class F>
template <std::ranges::input_range Range>
auto cached<F>::many(const Range& items) const {
  using Item = std::ranges::range_value_t<const Range>;
  using R = typename detail::ItemResult<F, Item>::type;
  std::vector<Outcome<R>> outcomes;
  if constexpr (detail::check_item<F, Item>()) {
    if constexpr (detail::Signature<F>::known) {
      if (state_->load_many) return detail::call_batch<R, F>(state_, items);
    }
    std::map<std::string, std::size_t> first;
    for (const Item& item : items) {
      try {
        auto key = detail::with_item(item, [&](const auto&... arguments) { return key_for(arguments...); });
        const auto [known, fresh] = first.try_emplace(std::move(key), outcomes.size());
        if (!fresh) {
          outcomes.push_back(outcomes[known->second]);
          continue;
        }
        outcomes.emplace_back(detail::with_item(item, [&](const auto&... arguments) { return call(arguments...); }));
      } catch (...) {  // handed over in the outcome
        outcomes.emplace_back(std::current_exception());
      }
    }
  }
  return outcomes;
}

template <class F>
template <class Item>
auto cached<F>::many(std::initializer_list<Item> items) const {
  return many(std::vector<detail::owned_t<Item>>(items.begin(), items.end()));
}

template <class F>
template <class... ArgumentsAndValue>
SetResult cached<F>::put(ArgumentsAndValue&&... arguments_and_value) const {
  static_assert(sizeof...(ArgumentsAndValue) > 0, "put takes the arguments and then the value");
  auto all = std::forward_as_tuple(std::forward<ArgumentsAndValue>(arguments_and_value)...);
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return put_value(std::get<sizeof...(I)>(std::move(all)), std::get<I>(all)...);
  }
  (std::make_index_sequence<sizeof...(ArgumentsAndValue) - 1>{});
}

template <class F>
template <class... Arguments>
bool cached<F>::invalidate(const Arguments&... arguments) const {
  if constexpr (detail::check_arguments<F, const Arguments&...>()) {
    const detail::CallKey<F> key(*state_, arguments...);
    return detail::erase_call(*state_, key.view());
  } else {
    return detail::refused<bool>();
  }
}

template <class F>
template <class... Leading>
std::size_t cached<F>::invalidate_matching(const Leading&... leading) const {
  return detail::erase_leading<F>(*state_, leading...);
}

template <class F>
void cached<F>::cache_clear() const {
  state_->identity->counters.add(detail::Count::invalidations);
  state_->core->clear(*state_->identity);
}

template <class F>
template <class... Arguments>
std::string cached<F>::key_for(const Arguments&... arguments) const {
  if constexpr (detail::check_arguments<F, const Arguments&...>()) {
    const detail::CallKey<F> key(*state_, arguments...);
    return std::string(key.view().name);
  } else {
    return detail::refused<std::string>();
  }
}

template <class F>
FunctionInfo cached<F>::cache_info() const {
  return function_info(*state_->identity);
}

template <class F>
template <class Build>
cached<F> cached<F>::key_builder(Build build) && {
  if constexpr (detail::check_key_builder<F, Build>()) {
    detail::check_unshared(state_);
    constexpr auto kTaken = static_cast<std::size_t>(detail::kBuilderTakesOf<Build, detail::canonical_t<F>>);
    state_->builder_takes = kTaken;
    state_->build_key.set([build = std::move(build)](detail::KeyBuffer& out, const void* const* arguments) {
      const auto& key =
          detail::build_with(build, typename State::Decayed{}, std::make_index_sequence<kTaken>{}, arguments);
      if constexpr (std::convertible_to<decltype(key), std::string_view>) {
        out.append(key);
      } else {
        detail::append_part(out, key);
      }
    });
  }
  return std::move(*this);
}

template <class F>
template <class Load>
cached<F> cached<F>::bulk_loader(Load load) && {
  if constexpr (detail::check_bulk_loader<F, Load>()) {
    detail::check_unshared(state_);
    state_->load_many.set([load = std::move(load)](const auto& items) {
      return detail::to_outcomes<typename State::R>(load(items), items);
    });
  }
  return std::move(*this);
}

template <class F>
template <class Keep>
cached<F> cached<F>::condition(Keep keep) && {
  if constexpr (detail::check_condition<F, Keep>()) {
    detail::check_unshared(state_);
    state_->keep.set(std::move(keep));
  }
  return std::move(*this);
}

template <class F>
template <class TtlOf>
cached<F> cached<F>::adaptive_ttl(TtlOf ttl_of) && {
  if constexpr (detail::check_adaptive_ttl<F, TtlOf>()) {
    detail::check_unshared(state_);
    state_->ttl_of.set(std::move(ttl_of));
  }
  return std::move(*this);
}

template <class F>
template <class TagsOf>
cached<F> cached<F>::adaptive_tags(TagsOf tags_of) && {
  if constexpr (detail::check_adaptive_tags<F, TagsOf>()) {
    detail::check_unshared(state_);
    if (state_->is_raw()) detail::refuse_raw_tags("adaptive_tags");
    state_->tags_of.set(std::move(tags_of));
  }
  return std::move(*this);
}

/// An empty optional that was remembered.
template <class F>
template <class R>
void cached<F>::count_negative(const R& value) const {
  if constexpr (detail::is_optional<R>) {
    if (!value) state_->identity->counters.add(detail::Count::negative_hits);
  }
}

template <class F>
template <class Value, class... Arguments>
SetResult cached<F>::put_value(Value&& value, const Arguments&... arguments) const {
  using R = detail::result_t<F, const Arguments&...>;
  if constexpr (!detail::check_arguments<F, const Arguments&...>()) {
    return SetResult::not_stored;
  } else if constexpr (!std::is_convertible_v<Value, R> && !detail::TakenAsText<R, Value>) {
    static_assert(detail::always_false<Value>,
                  "put takes the function's arguments and behind them a value that converts to its result");
    return SetResult::not_stored;
  } else {
    const detail::CallKey<F> key(*state_, arguments...);
    detail::check_value(value);  // before it is copied
    R kept = detail::convert<R>(std::forward<Value>(value));
    if constexpr (!std::same_as<R, std::remove_cvref_t<Value>>) detail::check_value(kept);
    detail::Loaded loaded;
    detail::finish_load<R, F>(*state_, kept, loaded);
    auto node = detail::make_node<R>(key.view(), std::move(kept));
    node->type = &detail::call_type<F, R, Arguments...>();
    return detail::put_call(*state_, std::move(node), loaded, detail::tags_for<F>(*state_, arguments...));
  }
}

template <class F>
template <class R, class... Arguments>
detail::NodeRef cached<F>::load(const detail::CallKey<F>& key, detail::LoadMode mode, Arguments&&... arguments) const {
  return state_->core->load(key.view(), detail::make_loader<R, F>(state_, std::forward<Arguments>(arguments)...), mode);
}

}  // namespace v1
}  // namespace dsta::cache
