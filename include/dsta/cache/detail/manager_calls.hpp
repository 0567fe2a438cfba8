#pragma once
/// The templates of CacheManager.
#include <algorithm>
#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <dsta/cache/detail/call_loader.hpp>
#include <dsta/cache/detail/hit_copy.hpp>
#include <dsta/cache/detail/manual.hpp>
#include <dsta/cache/detail/shared_block.hpp>
#include <dsta/cache/detail/value_check.hpp>
#include <dsta/cache/detail/wrap_check.hpp>
#include <dsta/cache/key.hpp>
#include <dsta/cache/load_context.hpp>
#include <dsta/cache/manager.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// `named`: of FunctionOf, where the function is known at compile time.
template <class F>
auto wrap(const std::shared_ptr<Core>& core, const EntryOptions& options, F&& function, const std::type_info* named,
          CodePlace where) {
  using Function = std::decay_t<F>;
  if constexpr (check_function<Function>()) {
    FunctionMark mark = mark_function<Function>(function, where);
    mark.named = named;
    return v1::cached<Function>(make_block<WrapperState<Function>>(core, options, std::forward<F>(function), mark));
  } else {
    return Refused<Function>{};
  }
}

/// Core::hit_manual, or hit_text where that will do, into an empty `out`.
template <class T>
Freshness hit_manual(Core& core, std::string_view key, const EntryOptions& options, std::optional<T>& out) {
  const auto hit = [&](Copier* copier, void* to) {
    const bool is_whole = options.prefix.empty() && options.name.empty() && !key.empty() && key.size() <= kMaxKeyBytes;
    if (is_whole) [[likely]]
      return core.hit_text(key, kTypeOps<T>, options, copier, to);
    return core.hit_manual(ManualKey(key, options).view(), kTypeOps<T>, options, copier, to);
  };
  if constexpr (kTypeOps<T>.bitwise) {
    Raw<T> raw;
    const Freshness freshness = hit(&copy_raw<T>, raw.bytes);
    if (freshness == Freshness::fresh) out.emplace(raw.value());
    return freshness;
  } else {
    return hit(&copy_into<T>, &out);
  }
}

/// Into an empty `to`. Also for types that cannot be assigned.
template <class T>
void take_over(std::optional<T>& to, std::optional<T>&& from) {
  if (from) to.emplace(*std::move(from));
}

/// An entry of one of kReadableTypes as a T.
template <class T>
std::optional<T> value_as(const NodeRef& node) {
  if (node->type->serves(kTypeOps<T>)) return std::optional<T>(std::in_place, node.template as<T>());
  if constexpr (Counter<T>) {
    const auto number = node.template as<typename CounterFor<T>::type>();
    if (std::in_range<T>(number)) return static_cast<T>(number);
  }
  return std::nullopt;
}

/// The same of an entry of L2. Where nobody else has it, which is so unless L1 keeps it, its value is not copied.
template <class T>
std::optional<T> take_value(const NodeRef& node) {
  if (node->references.load(std::memory_order_acquire) == 1 && node->type->serves(kTypeOps<T>)) {
    return std::optional<T>(std::in_place, std::move(*static_cast<T*>(node->value())));
  }
  return value_as<T>(node);
}

/// get_or_load's loader: a function of no arguments.
template <class R, class Load>
class PlainLoader final : public Loader {
 public:
  PlainLoader(Load load, EntryTerms given, const std::string& prefix, Identity& counted) : load_(std::move(load)) {
    describe_load(*this, std::move(given), counted, kTypeOps<R>);
    if (prefix != counted.prefix) {
      prefix_ = prefix;
      given_prefix = &prefix_;
    }
    wants_previous = names_tags = kTakesContext<Load>;
  }
  Loaded load(const KeyView& key, const NodeRef& previous) override {
    Loaded loaded;
    R value = invoke_load<R>(load_, loaded, previous);
    check_value(value);
    if constexpr (is_optional<R>) loaded.negative = !value.has_value();
    if (terms->raw && !loaded.tags.empty()) refuse_raw_tags(loaded.tags.front());
    loaded.node = make_node<R>(key, std::move(value));
    return loaded;
  }

 private:
  Load load_;
  std::string prefix_;
};

template <class Load>
struct PlainResult {
  using type = typename std::invoke_result_t<Load&>;
};
template <class Load>
  requires kTakesContext<Load>
struct PlainResult<Load> {
  using type = typename Signature<Load>::Result;
};

}  // namespace detail

template <class F>
auto Decorator::operator()(F&& function, CodePlace where) const {
  return detail::wrap(core_, options_, std::forward<F>(function), nullptr, where);
}

template <class F>
auto CacheManager::cached(const EntryOptions& options, F&& function, CodePlace where) {
  return detail::wrap(core_, options, std::forward<F>(function), nullptr, where);
}

template <auto Function>
auto CacheManager::cached(EntryOptions options, CodePlace where) {
  const std::type_info* const type = detail::type_info_of<detail::FunctionOf<Function>>();
  if (options.name.empty()) options.name = detail::name_in_key(detail::function_name<Function>(), type);
  return detail::wrap(core_, options, Function, type, where);
}

template <class T>
SetResult CacheManager::set(std::string_view key, T&& value, const EntryOptions& options) {
  using Stored = detail::stored_t<std::remove_cvref_t<T>>;
  if constexpr (detail::check_codable<Stored>()) {
    const detail::ManualKey stored(key, options);
    detail::check_value(value);
    const detail::EntryTerms terms = core_->resolve(options);
    if (terms.raw) detail::check_raw_codec(detail::kTypeOps<Stored>);
    detail::Counters& counters = core_->manual_writer(options.prefix).counters;
    return detail::to_set_result(
        core_->put(detail::make_node<Stored>(stored.view(), std::forward<T>(value)), terms, terms.tags, nullptr),
        counters);
  } else {
    return SetResult::not_stored;
  }
}

template <class T>
std::optional<T> CacheManager::get(std::string_view key, const EntryOptions& options) const {
  if constexpr (detail::check_codable<T>()) {
    if constexpr (detail::kHitsByCopy<T>) {
      std::optional<T> value;
      const auto freshness = detail::hit_manual(*core_, key, options, value);
      // A counter has a type of its own, and lookup asks for that too.
      if (freshness == detail::Freshness::miss && detail::kReadableTypes<T>.size() == 1) {
        const detail::ManualKey stored(key, options);
        detail::count_manual_miss(*core_, stored.view(), options, detail::kTypeOps<T>);
      } else if (freshness != detail::Freshness::fresh) {
        detail::take_over(value, lookup<T>(key, options).value);
      }
      return value;
    } else {
      return lookup<T>(key, options).value;
    }
  } else {
    return std::nullopt;
  }
}

template <class T>
detail::stored_t<T> CacheManager::get_or(std::string_view key, T fallback, const EntryOptions& options) const {
  auto found = get<detail::stored_t<T>>(key, options);
  return found ? std::move(*found) : detail::stored_t<T>(std::move(fallback));
}

template <class Load>
auto CacheManager::get_or_load(std::string_view key, Load load, const EntryOptions& options) {
  using Result = typename detail::PlainResult<Load>::type;
  using R = std::remove_cvref_t<Result>;
  if constexpr (detail::check_result<Result>()) {
    if constexpr (detail::kHitsByCopy<R>) {
      std::optional<R> value;
      detail::hit_manual(*core_, key, options, value);
      if (value) return *std::move(value);
    }
    const detail::ManualKey stored(key, options);
    const auto core = core_;  // `load` may destroy the manager
    detail::Identity& identity = core->manual_writer(options.prefix);
    const auto loader = detail::make_block<detail::PlainLoader<R, Load>, detail::Loader>(
        std::move(load), core->resolve(options), options.prefix, identity);
    return R(core->load(stored.view(), loader, detail::LoadMode::get).template as<R>());
  } else {
    return detail::refused<Result>();
  }
}

template <class T>
Lookup<T> CacheManager::lookup(std::string_view key, const EntryOptions& options) const {
  Lookup<T> found;
  if constexpr (detail::check_codable<T>()) {
    const detail::ManualKey stored(key, options);
    const detail::Reach reach = detail::kTypeOps<T>.shareable ? core_->reach(options) : detail::Reach();
    constexpr const auto& kTypes = detail::kReadableTypes<T>;
    detail::NodeRef node;
    auto freshness = detail::Freshness::miss;
    if (reach.l1) {
      for (const detail::TypeOps* type : kTypes) {
        freshness = core_->read(stored.view(), *type, nullptr, node);
        if (!node) continue;
        detail::take_over(found.value, detail::value_as<T>(node));
        break;
      }
    }
    found.source = Source::l1;
    if (!found.value && reach.l2) {
      detail::Fetched item = detail::fetch_manual(*core_, stored.view(), options, kTypes.data(), kTypes.size(), reach);
      node = std::move(item.node);
      if (node) detail::take_over(found.value, detail::take_value<T>(node));
      freshness = item.freshness;
      found.source = Source::l2;
    }
    if (!found.value) {
      detail::count_manual_miss(*core_, stored.view(), options, detail::kTypeOps<T>);
      found.source = Source::none;
      return found;
    }
    detail::Counters& counters = core_->manual(options.prefix).counters;
    counters.add(detail::Count::hits);
    found.stale = freshness == detail::Freshness::stale || freshness == detail::Freshness::serving;
    if (found.stale) counters.add(detail::Count::stale_served);
    found.age = std::max(Duration::zero(), Duration(core_->now() - node->created));
  }
  return found;
}

template <class T>
std::vector<SetResult> CacheManager::set_many(const std::vector<std::pair<std::string, T>>& items,
                                              const EntryOptions& options) {
  using Stored = detail::stored_t<T>;
  std::vector<detail::NodeRef> nodes;
  nodes.reserve(items.size());
  if constexpr (detail::check_codable<Stored>()) {
    for (const auto& [key, value] : items) {
      const detail::ManualKey stored(key, options);
      detail::check_value(value);
      nodes.push_back(detail::make_node<Stored>(stored.view(), value));
    }
  }
  return detail::put_manual(*core_, std::move(nodes), options);
}

template <class T>
std::vector<std::optional<T>> CacheManager::get_many(const std::vector<std::string>& keys,
                                                     const EntryOptions& options) const {
  std::vector<std::optional<T>> found(keys.size());
  if constexpr (detail::check_codable<T>()) {
    constexpr const auto& kTypes = detail::kReadableTypes<T>;
    detail::ManualReads reads(*core_, options, *kTypes[0], keys.size());
    std::uint64_t hits = 0, stale = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      reads.add(keys[i]);
      for (const detail::TypeOps* type : kTypes) {
        const detail::NodeRef node = reads.read(*type);
        if (!node) continue;
        found[i] = detail::value_as<T>(node);
        break;
      }
      if (found[i]) {
        ++hits;
        stale += reads.stale() ? 1U : 0U;
      } else {
        reads.want();
      }
    }
    reads.fetch(kTypes.data(), kTypes.size());
    for (std::size_t n = 0; n < reads.wanted(); ++n) {
      const detail::NodeRef& node = reads.fetched(n);
      if (!node || !(found[reads.place(n)] = detail::take_value<T>(node))) continue;
      ++hits;
      stale += reads.fetched_stale(n) ? 1U : 0U;
    }
    detail::Counters& counters = core_->manual(options.prefix).counters;
    if (hits != 0) counters.add(detail::Count::hits, hits);
    if (stale != 0) counters.add(detail::Count::stale_served, stale);
    if (hits != keys.size()) counters.add(detail::Count::misses, keys.size() - hits);
  }
  return found;
}

}  // namespace v1
}  // namespace dsta::cache
