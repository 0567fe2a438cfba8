#pragma once
#include <concepts>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/detail/hash.hpp>
#include <dsta/cache/detail/signature.hpp>
#include <dsta/cache/detail/stored_key.hpp>
#include <dsta/cache/detail/tag_name.hpp>
#include <dsta/cache/detail/value_check.hpp>
#include <dsta/cache/detail/wrap_check.hpp>
#include <dsta/cache/load_context.hpp>
#include <dsta/cache/outcome.hpp>
#include <dsta/cache/set_result.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

template <class F, class... Arguments>
struct ResultOf {
  using type = std::remove_cvref_t<std::invoke_result_t<F&, const owned_t<Arguments>&...>>;
};
template <class F, class... Arguments>
requires Signature<F>::known struct ResultOf<F, Arguments...> {
  using type = std::remove_cvref_t<typename Signature<F>::Result>;
};
/// What a call of F with these arguments returns, as a value.
template <class F, class... Arguments>
using result_t = typename ResultOf<F, Arguments...>::type;

/// The type of a call's entry. Where F leaves its parameter types open they are part of it: the key says them only
/// roughly, since C++ has no name of a type that every compiler and build spells alike, and two types whose values and
/// rough types read alike must not get each other's results.
template <class F, class R, class... Arguments>
constexpr const TypeOps& call_type() {
  if constexpr (Signature<F>::known) {
    return kTypeOps<R>;
  } else {
    return kCallTypeOps<R, owned_t<Arguments>...>;
  }
}

/// The parts that depend on the parameter types, which only a known signature has.
template <class F>
struct Hooks {
  static constexpr std::size_t arity = static_cast<std::size_t>(-1);
};
template <class List>
struct BuilderFor;
template <class... P>
struct BuilderFor<TypeList<P...>> {
  using type = std::function<void(KeyBuffer&, const std::decay_t<P>&...)>;
};
/// What stands for one call in a batch: its argument, or the tuple of them.
template <class List>
struct ItemFor;
template <class... P>
struct ItemFor<TypeList<P...>> {
  using type = std::tuple<owned_t<P>...>;
};
template <class P>
struct ItemFor<TypeList<P>> {
  using type = owned_t<P>;
};
template <class F>
requires Signature<F>::known struct Hooks<F> {
  using R = std::remove_cvref_t<typename Signature<F>::Result>;
  using Item = typename ItemFor<typename Signature<F>::Parameters>::type;
  static constexpr std::size_t arity = Signature<F>::Parameters::size;
  typename BuilderFor<typename Signature<F>::Parameters>::type build_key;
  std::function<std::vector<Outcome<R>>(const std::vector<Item>&)> load_many;
  std::function<bool(const R&)> keep;
  std::function<OptionalDuration(const R&)> ttl_of;
  std::function<std::vector<std::string>(const R&)> tags_of;
};

template <class List>
inline constexpr unsigned kPlainArguments = 0;
template <class... P>
inline constexpr unsigned kPlainArguments<TypeList<P...>> = [] {
  unsigned bits = 0, bit = 1;
  ((bits |= TextLike<std::decay_t<P>> || std::integral<std::decay_t<P>> ? bit : 0, bit <<= 1), ...);
  return bits;
}();
/// Bit N: argument N is text or an integer, so that a tag `{N}` is what a user would write for it. Of others, lists and
/// types of the user's, tags hold the escaped or joined text of their keys.
template <class F>
constexpr unsigned plain_arguments() {
  if constexpr (Signature<F>::known) {
    return kPlainArguments<typename Signature<F>::Parameters>;
  } else {
    return 0;
  }
}

/// A wrapper's share in its function's registration, given back at the end of its life.
class Registration {
 public:
  Registration(Core& core, Identity& identity) noexcept : core_(core), identity_(identity) {}
  ~Registration() { core_.release_function(identity_); }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  Core& core_;
  Identity& identity_;
};

/// What all copies of one wrapper share. Immutable once the wrapper is in use.
template <class F>
struct WrapperState : Hooks<F> {
  WrapperState(std::shared_ptr<Core> core_, const EntryOptions& options, F function_, const FunctionMark& mark)
      : core(std::move(core_)),
        terms(std::make_shared<const EntryTerms>(core->resolve(options))),
        function(std::move(function_)),
        identity(&core->register_function(options.prefix, options.name, mark)),
        registration(*core, *identity),
        head(identity->text()),
        open_head(identity->text().empty() ? "" : identity->text() + ":") {
    core->note_tags(*identity, terms->tags, plain_arguments<F>());
    if (is_raw()) identity->raw.store(true, std::memory_order_relaxed);
  }
  WrapperState(const WrapperState&) = delete;
  WrapperState& operator=(const WrapperState&) = delete;

  std::shared_ptr<Core> core;
  std::shared_ptr<const EntryTerms> terms;
  F function;
  Identity* identity = nullptr;
  const Registration registration;
  KeyBuffer::Head head;       ///< prefix:name, the key of a call without arguments
  KeyBuffer::Head open_head;  ///< with ':' behind it, the start of all others
  const bool in_process = terms->level != Level::l2 && !terms->raw;

  bool is_raw() const { return terms->raw && terms->level != Level::l1; }
};

/// False where the in-process level is not to be used although it is there.
template <class F>
bool reads_here(const WrapperState<F>& state) {
  return state.in_process || !state.core->has_shared();
}

/// The argument as the parameter type P sees it, converted only when it is of another type. A generic function sees
/// text in quotes as it is.
template <class P, class Argument>
decltype(auto) as_parameter(const Argument& argument) {
  if constexpr (std::same_as<P, Argument> || (std::is_array_v<Argument> && std::same_as<P, std::decay_t<Argument>>)) {
    return (argument);
  } else {
    return static_cast<P>(argument);
  }
}

/// Writes an argument of a call of F into its key; the type too where F does not say it.
template <class F, class P, bool First, class Argument>
void append_call_part(KeyBuffer& out, const Argument& argument) {
  if constexpr (!First) out.push(':');
  append_argument<P>(out, argument);
  if constexpr (!Signature<F>::known && !TextLike<P>) {
    out.push('(');
    append_type<P>(out);
    out.push(')');
  }
}

/// The key of one call, on the stack.
template <class F>
class CallKey {
 public:
  template <class... Arguments>
  [[gnu::always_inline]] explicit CallKey(const WrapperState<F>& state, const Arguments&... arguments)
      : buffer_(sizeof...(Arguments) == 0 ? state.head : state.open_head) {
    if constexpr (Signature<F>::known) {
      if (state.build_key) [[unlikely]] {
        build(state, arguments...);
        return;
      }
    }
    // Not buffer_.cursor(): what was just stored there would have to be waited for.
    KeyCursor at = (sizeof...(Arguments) == 0 ? state.head : state.open_head).cursor();
    append(at, std::index_sequence_for<Arguments...>{}, arguments...);
    if (KeyBuffer::in_line(at, 0)) [[likely]] {
      view_ = {buffer_.in_line_view(at), {}, at.hash()};
      if (at.size() <= kReadableKeyBytes) [[likely]]
        return;
    }
    buffer_.move_to(at);
    finish();
  }

  const KeyView& view() const { return view_; }

 private:
  template <std::size_t... I, class... Arguments>
  [[gnu::always_inline]] void append(KeyCursor& at, std::index_sequence<I...>, const Arguments&... arguments) {
    (append_one<parameter_t<F, I, Arguments>, I == 0>(at, arguments), ...);
  }
  template <class P, bool First, class Argument>
  [[gnu::always_inline]] void append_one(KeyCursor& at, const Argument& argument) {
    if constexpr (Signature<F>::known) {
      if (put_argument<P, !First>(at, buffer_.words(), argument)) [[likely]]
        return;
    }
    buffer_.move_to(at);
    append_slowly<P, First>(argument);
    at = buffer_.cursor();
  }
  template <class P, bool First, class Argument>
  [[gnu::noinline]] void append_slowly(const Argument& argument) {
    append_call_part<F, P, First>(buffer_, argument);
  }
  template <class... Arguments>
  [[gnu::noinline]] void build(const WrapperState<F>& state, const Arguments&... arguments) {
    if constexpr (sizeof...(Arguments) == Hooks<F>::arity) {
      if (sizeof...(Arguments) == 0) buffer_.push(':');
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        state.build_key(buffer_, as_parameter<parameter_t<F, I, Arguments>>(arguments)...);
      }
      (std::index_sequence_for<Arguments...>{});
      finish();
    } else {
      throw ConfigError("a call of a wrapper with a key_builder must give every argument");
    }
  }
  [[gnu::noinline]] void finish() {
    view_ = {buffer_.view(), {}, buffer_.hash()};
    if (buffer_.size() > kReadableKeyBytes) {
      long_ = std::make_unique<StoredKey>(view_.name);
      view_ = long_->view();
    }
  }

  KeyBuffer buffer_;
  KeyView view_;
  std::unique_ptr<StoredKey> long_;
};

/// A trivially copyable value that arrives as whole words.
template <class R>
struct Raw {
  alignas(R) alignas(8) unsigned char bytes[(sizeof(R) + 7) / 8 * 8];
  R value() const { return *std::launder(reinterpret_cast<const R*>(bytes)); }
};

template <class P, class Argument>
owned_t<P> to_owned(Argument&& argument) {
  using Kept = owned_t<P>;
  if constexpr (std::same_as<Kept, std::remove_cvref_t<Argument>>) {
    return std::forward<Argument>(argument);
  } else if constexpr (std::is_arithmetic_v<Kept>) {
    return static_cast<Kept>(argument);
  } else if constexpr (!std::same_as<Kept, std::decay_t<P>> && std::ranges::range<P>) {
    const P view(argument);
    return Kept(view.begin(), view.end());
  } else {
    return Kept(std::forward<Argument>(argument));
  }
}

/// Fills the arguments' texts into `{0}`, `{1}`… of the tags.
std::vector<std::string> fill_tags(const std::vector<std::string>& tags, const std::vector<std::string>& arguments);

template <class F, class... Arguments>
std::vector<std::string> tags_for(const WrapperState<F>& state, const Arguments&... arguments) {
  if (state.terms->tags.empty()) return {};
  [[maybe_unused]] const auto text = [](const auto& argument) {
    if constexpr (TextLike<std::decay_t<decltype(argument)>>) {
      return std::string(std::string_view(argument));
    } else {
      KeyBuffer buffer;
      append_part(buffer, argument);
      return std::string(buffer.view());
    }
  };
  // As the parameter, like in the key: a call, a put and a batch of one key then have the same tags.
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return fill_tags(state.terms->tags, {text(as_parameter<parameter_t<F, I, Arguments>>(arguments))...});
  }
  (std::index_sequence_for<Arguments...>{});
}

/// Throws ConfigError.
[[noreturn]] void refuse_raw_tags(std::string_view tag);

/// What the wrapper's hooks say of a value. They are not asked once the manager is gone: nothing is stored then.
template <class R, class F>
void finish_load(const WrapperState<F>& state, const R& value, Loaded& loaded) {
  if constexpr (is_optional<R>) {
    loaded.negative = !value.has_value();
  }
  if constexpr (Signature<F>::known) {
    if (state.core->closed()) return;
    if (state.keep && !state.keep(value)) loaded.store = false;
    if (state.ttl_of) loaded.ttl = state.ttl_of(value);
    if (state.tags_of) {
      for (auto& tag : state.tags_of(value)) {
        if (is_tag(tag)) loaded.tags.push_back(std::move(tag));
      }
    }
  }
}

/// Calls `function`, with a LoadContext behind the arguments if it takes one.
template <class R, class F, class... Arguments>
R invoke_load(F& function, [[maybe_unused]] Loaded& loaded, [[maybe_unused]] const NodeRef& previous,
              Arguments&&... arguments) {
  if constexpr (kTakesContext<F>) {
    LoadContext<R> context(previous, loaded);
    return std::invoke(function, std::forward<Arguments>(arguments)..., context);
  } else {
    return std::invoke(function, std::forward<Arguments>(arguments)...);
  }
}

/// One call that has to be made: the function and its arguments, owned.
template <class R, class F, class... Kept>
class CallLoader final : public Loader {
 public:
  CallLoader(std::shared_ptr<WrapperState<F>> state, std::tuple<Kept...> arguments)
      : state_(std::move(state)), arguments_(std::move(arguments)) {
    terms = state_->terms;
    identity = state_->identity;
    type = &call_type<F, R, Kept...>();
    wants_previous = names_tags = kTakesContext<F>;
    if constexpr (Signature<F>::known) names_tags = names_tags || state_->tags_of != nullptr;
    tags = std::apply([&](const auto&... kept) { return tags_for(*state_, kept...); }, arguments_);
  }

  Loaded load(const KeyView& key, const NodeRef& previous) override {
    Loaded loaded;
    R value = std::apply([&](const auto&... kept) { return call(loaded, previous, kept...); }, arguments_);
    check_value(value);
    finish_load(*state_, value, loaded);
    if (state_->is_raw() && !loaded.tags.empty()) refuse_raw_tags(loaded.tags.front());
    loaded.node = make_node<R>(key, std::move(value));
    loaded.node->type = type;
    return loaded;
  }

 private:
  R call(Loaded& loaded, const NodeRef& previous, const Kept&... kept) const {
    return [&]<std::size_t... I>(std::index_sequence<I...>)->R {
      return invoke_load<R>(state_->function, loaded, previous, pass<I>(kept)...);
    }
    (std::index_sequence_for<Kept...>{});
  }
  /// A parameter of type T&& gets a copy of its own: a load may run again.
  template <std::size_t I, class T>
  static decltype(auto) pass(const T& kept) {
    if constexpr (Signature<F>::known) {
      if constexpr (std::is_rvalue_reference_v<
                        std::tuple_element_t<I, typename AsTuple<typename Signature<F>::Parameters>::type>>) {
        return T(kept);
      } else {
        return (kept);
      }
    } else {
      return (kept);
    }
  }
  template <class List>
  struct AsTuple;
  template <class... P>
  struct AsTuple<TypeList<P...>> {
    using type = std::tuple<P...>;
  };

  std::shared_ptr<WrapperState<F>> state_;
  std::tuple<Kept...> arguments_;
};

template <class R, class F, class... Arguments>
std::shared_ptr<Loader> make_loader(const std::shared_ptr<WrapperState<F>>& state, Arguments&&... arguments) {
  if constexpr (check_result<R>()) {
    return [&]<std::size_t... I>(std::index_sequence<I...>)->std::shared_ptr<Loader> {
      using Kept = std::tuple<owned_t<parameter_t<F, I, Arguments>>...>;
      return std::make_shared<CallLoader<R, F, owned_t<parameter_t<F, I, Arguments>>...>>(
          state, Kept(to_owned<parameter_t<F, I, Arguments>>(std::forward<Arguments>(arguments))...));
    }
    (std::index_sequence_for<Arguments...>{});
  }
}

SetResult to_set_result(PutOutcome outcome, Counters& counters);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
