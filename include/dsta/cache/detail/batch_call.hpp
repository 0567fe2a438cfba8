#pragma once
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <dsta/cache/detail/wrapper.hpp>
#include <dsta/cache/outcome.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A tuple or pair is spread into arguments; anything else is one.
template <class Item, class Call>
decltype(auto) with_item(const Item& item, Call&& call) {
  if constexpr (TupleLike<Item>) {
    return std::apply(call, item);
  } else {
    return call(item);
  }
}

/// What a wrapped F returns for an item of a batch.
template <class F, class Item>
struct ItemResult {
  using type = result_t<F, Item>;
};
template <class F, TupleLike Item>
struct ItemResult<F, Item> {
  template <class... Parts>
  static result_t<F, Parts...> of(const std::tuple<Parts...>&);
  template <class A, class B>
  static result_t<F, A, B> of(const std::pair<A, B>&);
  using type = decltype(of(std::declval<Item>()));
};

template <class Results, class Item>
concept MapFrom = requires(const Results& results, const Item& item) {
  results.find(item)->second;
};

/// What a bulk loader returned, item by item. Throws LoadError when it is not one answer an item.
template <class R, class Results, class Item>
std::vector<Outcome<R>> to_outcomes(Results&& results, const std::vector<Item>& items) {
  std::vector<Outcome<R>> outcomes;
  outcomes.reserve(items.size());
  const auto add = [&]<class Answer>(Answer& answer) {
    if constexpr (std::same_as<std::remove_const_t<Answer>, std::optional<R>>) {
      answer ? outcomes.emplace_back(std::move(*answer)) : outcomes.emplace_back();
    } else {
      outcomes.emplace_back(std::move(answer));
    }
  };
  if constexpr (MapFrom<std::remove_cvref_t<Results>, Item>) {
    for (const Item& item : items) {
      const auto found = results.find(item);
      found == results.end() ? void(outcomes.emplace_back()) : add(found->second);
    }
  } else {
    static_assert(std::ranges::input_range<Results>,
                  "a bulk_loader returns a std::vector with an answer for each item, or a map from item to value");
    for (auto&& answer : results) add(answer);
    if (outcomes.size() != items.size()) {
      throw LoadError("the bulk_loader returned " + std::to_string(outcomes.size()) + " answers for " +
                      std::to_string(items.size()) +
                      " items: return one for each, in their order, and std::nullopt in a std::optional for one that "
                      "there is not");
    }
  }
  return outcomes;
}

/// The items of one batch that are to be loaded by the wrapper's bulk loader.
template <class R, class F>
class CallBatch final : public BatchLoader {
 public:
  using Item = typename Hooks<F>::Item;

  explicit CallBatch(std::shared_ptr<WrapperState<F>> state) : state_(std::move(state)) {
    terms = state_->terms;
    identity = state_->identity;
    type = &kTypeOps<R>;
    names_tags = state_->tags_of != nullptr;
  }
  template <class... Arguments>
  void add(const Arguments&... arguments) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      items_.push_back(Item(to_owned<parameter_t<F, I, Arguments>>(arguments)...));
    }
    (std::index_sequence_for<Arguments...>{});
  }

  std::vector<Loaded> load(const std::vector<Call>& calls) override {
    std::vector<Item> chosen;
    chosen.reserve(calls.size());
    for (const Call& call : calls) chosen.push_back(items_[call.item]);
    auto outcomes = state_->load_many(chosen);
    std::vector<Loaded> loaded(calls.size());
    for (std::size_t i = 0; i < calls.size(); ++i) take(outcomes[i], calls[i].key, loaded[i]);
    return loaded;
  }

 private:
  void take(const Outcome<R>& outcome, const KeyView& key, Loaded& loaded) {
    loaded.error = outcome.error();
    if (!outcome) return;
    try {
      check_value(*outcome);
      finish_load(*state_, *outcome, loaded);
      loaded.node = make_node<R>(key, *outcome);
    } catch (...) {  // this item's alone
      loaded = {};
      loaded.error = std::current_exception();
    }
  }

  std::shared_ptr<WrapperState<F>> state_;
  std::vector<Item> items_;
};

/// wrapper.many with a bulk loader.
template <class R, class F, class Range>
std::vector<Outcome<R>> call_batch(const std::shared_ptr<WrapperState<F>>& state, const Range& items) {
  std::deque<CallKey<F>> keys;
  std::unordered_map<std::string_view, std::size_t> places;  // key -> index among the distinct
  std::vector<std::size_t> place_of;                         // item -> the same
  std::vector<NodeRef> found;
  auto loader = std::make_shared<CallBatch<R, F>>(state);
  std::vector<BatchItem> open;
  std::vector<std::size_t> open_places;
  for (const auto& item : items) {
    with_item(item, [&](const auto&... arguments) {
      const CallKey<F>& key = keys.emplace_back(*state, arguments...);
      const KeyView& view = key.view();
      const auto [known, first] = places.try_emplace(view.full.empty() ? view.name : view.full, found.size());
      place_of.push_back(known->second);
      if (!first) {
        keys.pop_back();
        return;
      }
      NodeRef& node = found.emplace_back();
      if (reads_here(*state) && state->core->read(view, kTypeOps<R>, state->identity, node) == Freshness::fresh) {
        state->identity->counters.add(Count::hits);
        if constexpr (is_optional<R>) {
          if (!node.template as<R>()) state->identity->counters.add(Count::negative_hits);
        }
        return;
      }
      open.push_back({.key = view, .tags = tags_for(*state, arguments...)});
      open_places.push_back(known->second);
      loader->add(arguments...);
    });
  }
  if (!open.empty()) state->core->load_batch(open, loader);

  std::vector<std::exception_ptr> errors(found.size());
  for (std::size_t i = 0; i < open.size(); ++i) {
    found[open_places[i]] = std::move(open[i].value);
    errors[open_places[i]] = std::move(open[i].error);
  }
  std::vector<Outcome<R>> outcomes;
  outcomes.reserve(place_of.size());
  for (const std::size_t place : place_of) {
    if (found[place]) {
      outcomes.emplace_back(found[place].template as<R>());
    } else if (errors[place]) {
      outcomes.emplace_back(errors[place]);
    } else {
      outcomes.emplace_back();
    }
  }
  return outcomes;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
