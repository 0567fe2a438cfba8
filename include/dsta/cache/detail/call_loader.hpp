#pragma once
#include <concepts>
#include <cstddef>
#include <memory>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <dsta/cache/detail/call_key.hpp>
#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/detail/hit_copy.hpp>
#include <dsta/cache/detail/shared_block.hpp>
#include <dsta/cache/detail/signature.hpp>
#include <dsta/cache/detail/value_check.hpp>
#include <dsta/cache/detail/wrap_check.hpp>
#include <dsta/cache/detail/wrapper.hpp>
#include <dsta/cache/load_context.hpp>
#include <dsta/cache/set_result.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

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
  } else if constexpr (std::same_as<Kept, P>) {
    return convert<Kept>(std::forward<Argument>(argument));
  } else {
    return Kept(std::forward<Argument>(argument));
  }
}

/// Fills the arguments' texts into `{0}`, `{1}`… of the tags.
std::vector<std::string> fill_tags(const std::vector<std::string>& tags, const std::string* arguments,
                                   std::size_t count);

/// An argument as a tag spells it. Of an enum that writes its own keys, what it writes: its name, for example.
template <class Argument>
std::string tag_text(const Argument& argument) {
  if constexpr (TextLike<Argument>) {
    return std::string(std::string_view(argument));
  } else {
    KeyBuffer buffer;
    append_part(buffer, argument);
    std::string_view text = buffer.view();
    if constexpr (std::is_enum_v<Argument> && HasAppendKey<Argument>) {
      text = text.substr(1, text.size() - 2);  // of "(name,)"
      if (text.ends_with(',')) text.remove_suffix(1);
      if (text == "\"\"") text = {};  // how keys spell a text without characters
    }
    return std::string(text);
  }
}

template <class F, std::size_t... I, class... Arguments>
std::vector<std::string> indexed_tags(const state_t<F>& state, std::index_sequence<I...>,
                                      const Arguments&... arguments) {
  if (state.terms->tags.empty()) return {};
  // As the parameter, like in the key: a call, a put and a batch of one key then have the same tags.
  const std::string texts[] = {tag_text(as_parameter<parameter_t<F, I, Arguments>>(arguments))..., std::string()};
  return fill_tags(state.terms->tags, texts, sizeof...(I));
}
template <class F, class... Arguments>
std::vector<std::string> tags_for(const state_t<F>& state, const Arguments&... arguments) {
  return indexed_tags<F>(state, std::index_sequence_for<Arguments...>{}, arguments...);
}

/// Adds those that are tags.
void add_tags(Loaded& loaded, std::vector<std::string> tags);

/// What the wrapper's hooks say of a value. They are not asked once the manager is gone: nothing is stored then.
template <class R, class F>
void finish_load(const state_t<F>& state, const R& value, Loaded& loaded) {
  if constexpr (is_optional<R>) loaded.negative = !value.has_value();
  if constexpr (Signature<F>::known) {
    if (state.core->closed()) return;
    if (state.keep && !state.keep(value)) loaded.store = false;
    if (state.ttl_of) loaded.ttl = state.ttl_of(value);
    if (state.tags_of) add_tags(loaded, state.tags_of(value));
  }
}

/// Calls `function`, with a LoadContext behind the arguments if it takes one.
template <class R, class F, class... Arguments>
R invoke_load(F& function, [[maybe_unused]] Loaded& loaded, [[maybe_unused]] const NodeRef& previous,
              Arguments&&... arguments) {
  if constexpr (kTakesContext<F>) {
    LoadContext<R> context(previous, loaded);
    return function(std::forward<Arguments>(arguments)..., context);
  } else {
    return function(std::forward<Arguments>(arguments)...);
  }
}

/// Says whose load it is.
void describe_load(LoadSpec& load, const WrapperBase& wrapper, const TypeOps& type);

/// Argument I of a call, owned.
template <std::size_t I, class T>
struct KeptArgument {
  T kept_value;
};

/// Parameter I is a T&&.
template <class List, std::size_t I>
inline constexpr bool kTakesRvalue = false;
template <class... P, std::size_t I>
inline constexpr bool kTakesRvalue<TypeList<P...>, I> = [] {
  constexpr bool kEach[] = {std::is_rvalue_reference_v<P>..., false};
  return I < sizeof...(P) && kEach[I];
}();

/// How a load passes its argument I to F. A parameter of type T&& gets a copy
/// of its own: a load may run again.
template <class F, std::size_t I, class T>
decltype(auto) pass_kept(const T& kept) {
  if constexpr (Signature<F>::known) {
    if constexpr (kTakesRvalue<typename Signature<F>::Parameters, I>) {
      return T(kept);
    } else {
      return (kept);
    }
  } else {
    return (kept);
  }
}

template <class F, class R, class... P>
struct RunFunction<F, R(P...)> {
  static R run(SignatureState<R(P...)>& state, Loaded& loaded, const NodeRef& previous,
               const owned_t<P>&... arguments) {
    return run(static_cast<WrapperState<F>&>(state).function, std::index_sequence_for<P...>{}, loaded, previous,
               arguments...);
  }

 private:
  template <std::size_t... I>
  static R run(F& function, std::index_sequence<I...>, Loaded& loaded, const NodeRef& previous,
               const owned_t<P>&... arguments) {
    return invoke_load<R>(function, loaded, previous, pass_kept<F, I>(arguments)...);
  }
};

/// One call that has to be made: the function and its arguments, owned.
template <class R, class F, class Indices, class... Kept>
class CallLoader;
template <class R, class F, std::size_t... I, class... Kept>
class CallLoader<R, F, std::index_sequence<I...>, Kept...> final : public Loader, private KeptArgument<I, Kept>... {
 public:
  template <class... Arguments>
  explicit CallLoader(std::shared_ptr<state_t<F>> state, Arguments&&... arguments)
      : KeptArgument<I, Kept>{to_owned<parameter_t<F, I, Arguments>>(std::forward<Arguments>(arguments))}...,
        state_(std::move(state)) {
    describe_load(*this, *state_, call_type<F, R, Kept...>());
    if constexpr (Signature<F>::known) {
      wants_previous = state_->takes_context;
      names_tags = wants_previous || state_->tags_of;
    }
    tags = indexed_tags<F>(*state_, std::index_sequence<I...>{}, KeptArgument<I, Kept>::kept_value...);
  }

  Loaded load(const KeyView& key, const NodeRef& previous) override {
    Loaded loaded;
    R value = run(loaded, previous, KeptArgument<I, Kept>::kept_value...);
    check_value(value);
    finish_load<R, F>(*state_, value, loaded);
    if (state_->is_raw() && !loaded.tags.empty()) refuse_raw_tags(loaded.tags.front());
    loaded.node = make_node<R>(key, std::move(value));
    loaded.node->type = type;
    return loaded;
  }

 private:
  R run(Loaded& loaded, const NodeRef& previous, const Kept&... kept) {
    if constexpr (Erased<F>) {
      return state_->run(*state_, loaded, previous, kept...);
    } else {
      return invoke_load<R>(state_->function, loaded, previous, pass_kept<F, I>(kept)...);
    }
  }

  std::shared_ptr<state_t<F>> state_;
};

template <class R, class F, std::size_t... I, class... Arguments>
std::shared_ptr<Loader> make_indexed_loader(const std::shared_ptr<state_t<F>>& state, std::index_sequence<I...>,
                                            Arguments&&... arguments) {
  if constexpr (check_result<R>() && (Signature<F>::known || check_kept<owned_t<parameter_t<F, I, Arguments>>...>())) {
    using Call = CallLoader<R, F, std::index_sequence<I...>, owned_t<parameter_t<F, I, Arguments>>...>;
    return make_block<Call, Loader>(state, std::forward<Arguments>(arguments)...);
  }
}
template <class R, class F, class... Arguments>
std::shared_ptr<Loader> make_loader(const std::shared_ptr<state_t<F>>& state, Arguments&&... arguments) {
  return make_indexed_loader<R, F>(state, std::index_sequence_for<Arguments...>{},
                                   std::forward<Arguments>(arguments)...);
}

SetResult to_set_result(PutOutcome outcome, Counters& counters);

/// The entry at L2 that a call's key stands for; null when there is none that counts.
NodeRef fetch_one(const WrapperBase& wrapper, const KeyView& key, const TypeOps& type,
                  const std::vector<std::string>& tags);
/// What L1 has, if it carries these tags.
NodeRef read_with_tags(const WrapperBase& wrapper, const KeyView& key, const TypeOps& type,
                       const std::vector<std::string>& tags);
/// cached::put of a finished entry: `loaded` is what the wrapper's hooks said of its value. Throws ConfigError.
SetResult put_call(const WrapperBase& wrapper, NodeRef node, Loaded& loaded, std::vector<std::string> tags);
/// cached::invalidate.
bool erase_call(const WrapperBase& wrapper, const KeyView& key);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
