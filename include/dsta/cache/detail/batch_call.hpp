#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <dsta/cache/detail/call_key.hpp>
#include <dsta/cache/detail/call_loader.hpp>
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

/// check_arguments for an item.
template <class F, class Item>
struct CheckItem {
  static consteval bool check() { return check_arguments<F, const Item&>(); }
};
template <class F, class... Parts>
struct CheckItem<F, std::tuple<Parts...>> {
  static consteval bool check() { return check_arguments<F, const Parts&...>(); }
};
template <class F, class A, class B>
struct CheckItem<F, std::pair<A, B>> {
  static consteval bool check() { return check_arguments<F, const A&, const B&>(); }
};
template <class F, class Item>
consteval bool check_item() {
  return CheckItem<F, std::remove_cvref_t<Item>>::check();
}

template <class Results, class Item>
concept MapFrom = requires(const Results& results, const Item& item) {
  results.find(item)->second;
};

/// Throws LoadError: a bulk loader returned `answers` answers for `items` items.
[[noreturn]] void refuse_answers(std::size_t answers, std::size_t items);
/// As many, each for one call of a batch.
std::vector<Loaded> make_loaded(std::size_t calls);

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
    // Items with keys of their own may be one to the map: a value is moved only where it is one item's.
    std::vector<decltype(&results.find(items.front())->second)> found;
    for (const Item& item : items) {
      const auto at = results.find(item);
      found.push_back(at == results.end() ? nullptr : &at->second);
    }
    auto sorted = found;
    std::sort(sorted.begin(), sorted.end());
    const auto of_two = [&](const auto* value) {
      const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), value);
      return last - first > 1;
    };
    for (auto* value : found) {
      if (!value) {
        outcomes.emplace_back();
      } else if (of_two(value)) {
        add(std::as_const(*value));
      } else {
        add(*value);
      }
    }
  } else {
    static_assert(std::ranges::input_range<Results>,
                  "a bulk_loader returns a std::vector with an answer for each item, or a map from item to value");
    for (auto&& answer : results) add(answer);
    if (outcomes.size() != items.size()) {
      refuse_answers(outcomes.size(), items.size());
    }
  }
  return outcomes;
}

/// The items of one batch that are to be loaded by the wrapper's bulk loader.
template <class R, class F>
class CallBatch final : public BatchLoader {
 public:
  using Item = typename hooks_t<F>::Item;

  explicit CallBatch(std::shared_ptr<state_t<F>> state) : state_(std::move(state)) {
    describe_load(*this, *state_, kTypeOps<R>);
    names_tags = static_cast<bool>(state_->tags_of);
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
    std::vector<Loaded> loaded = make_loaded(calls.size());
    for (std::size_t i = 0; i < calls.size(); ++i) take(outcomes[i], calls[i].key, loaded[i]);
    return loaded;
  }

 private:
  void take(const Outcome<R>& outcome, const KeyView& key, Loaded& loaded) {
    loaded.error = outcome.error();
    if (!outcome) return;
    try {
      check_value(*outcome);
      finish_load<R, F>(*state_, *outcome, loaded);
      loaded.node = make_node<R>(key, *outcome);
    } catch (...) {  // this item's alone
      loaded = {};
      loaded.error = std::current_exception();
    }
  }

  std::shared_ptr<state_t<F>> state_;
  std::vector<Item> items_;
};

/// The items of one batch: which of them are distinct, cached, to be loaded. One thread.
class BatchPlan {
 public:
  enum class Step {
    repeated,  ///< an item had this key before
    found,     ///< a fresh entry: value(size() - 1)
    open,      ///< to be loaded: give its tags
  };

  BatchPlan(const WrapperBase& wrapper, const TypeOps& type);
  ~BatchPlan();
  BatchPlan(const BatchPlan&) = delete;
  BatchPlan& operator=(const BatchPlan&) = delete;

  /// The next item. A key that is not `repeated` must stay where it is.
  Step add(const KeyView& key);
  /// The tags of the last item, which is open.
  void set_tags(std::vector<std::string> tags);
  /// The next item has no key: the exception that is being handled is its outcome.
  void add_failed();
  /// The same of the last item, which is open, and is not any more.
  void fail_open();
  void load(const std::shared_ptr<BatchLoader>& loader);

  std::size_t size() const noexcept;
  /// Of an item, after load(): null when there is none.
  const NodeRef& value(std::size_t item) const noexcept;
  const std::exception_ptr& error(std::size_t item) const noexcept;

 private:
  struct Items;
  const WrapperBase& wrapper_;
  const TypeOps& type_;
  Items* items_;  // owned
};

/// Adds an item to the plan. What the user's code throws of it, the key_builder's above all, is its outcome alone.
template <class R, class F, class... Arguments>
void plan_item(const state_t<F>& state, std::deque<CallKey<F>>& keys, BatchPlan& plan, CallBatch<R, F>& loader,
               const Arguments&... arguments) {
  try {
    keys.emplace_back(state, arguments...);
  } catch (...) {  // handed over in the outcome
    return plan.add_failed();
  }
  switch (plan.add(keys.back().view())) {
    case BatchPlan::Step::repeated:
      return keys.pop_back();
    case BatchPlan::Step::found:
      if constexpr (is_optional<R>) {
        const bool empty = !plan.value(plan.size() - 1).template as<R>();
        if (empty) state.identity->counters.add(Count::negative_hits);
      }
      return;
    case BatchPlan::Step::open:
      try {
        auto tags = tags_for<F>(state, arguments...);
        loader.add(arguments...);
        plan.set_tags(std::move(tags));
      } catch (...) {  // the same
        plan.fail_open();
      }
  }
}

/// wrapper.many with a bulk loader.
template <class R, class F, class Range>
std::vector<Outcome<R>> call_batch(const std::shared_ptr<state_t<F>>& state, const Range& items) {
  std::deque<CallKey<F>> keys;
  BatchPlan plan(*state, kTypeOps<R>);
  auto loader = std::make_shared<CallBatch<R, F>>(state);
  for (const auto& item : items) {
    with_item(item, [&](const auto&... arguments) { plan_item<R, F>(*state, keys, plan, *loader, arguments...); });
  }
  plan.load(loader);
  std::vector<Outcome<R>> outcomes;
  outcomes.reserve(plan.size());
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (const NodeRef& node = plan.value(i)) {
      outcomes.emplace_back(node.template as<R>());
    } else if (plan.error(i)) {
      outcomes.emplace_back(plan.error(i));
    } else {
      outcomes.emplace_back();
    }
  }
  return outcomes;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
