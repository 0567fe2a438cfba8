#pragma once
#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <dsta/cache/detail/identity.hpp>
#include <dsta/cache/fwd.hpp>
#include <dsta/cache/key.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

template <class... Ts>
struct TypeList {
  static constexpr std::size_t size = sizeof...(Ts);
};

/// Parameters without a LoadContext at their end, which callers do not pass.
template <class Passed, class... Rest>
struct PassedParameters {
  using type = Passed;
  using Context = void;
};
template <class... Passed, class Next, class... Rest>
struct PassedParameters<TypeList<Passed...>, Next, Rest...> : PassedParameters<TypeList<Passed..., Next>, Rest...> {};
template <class... Passed, class R>
struct PassedParameters<TypeList<Passed...>, LoadContext<R>&> {
  using type = TypeList<Passed...>;
  using Context = LoadContext<R>;
};

/// What a callable takes and returns, as far as it says: `known` is false for overloaded and generic ones.
template <class F>
struct Signature {
  static constexpr bool known = false;
  using Context = void;
};
template <class R, class... P>
struct Signature<R(P...)> {
  static constexpr bool known = true;
  using Result = R;
  using Parameters = typename PassedParameters<TypeList<>, P...>::type;
  using Context = typename PassedParameters<TypeList<>, P...>::Context;
};
template <class R, class... P>
struct Signature<R(P...) noexcept> : Signature<R(P...)> {};
template <class R, class... P>
struct Signature<R (*)(P...)> : Signature<R(P...)> {};
template <class R, class... P>
struct Signature<R (*)(P...) noexcept> : Signature<R(P...)> {};

template <class M>
struct MemberSignature {  // that of an rvalue, which a wrapped function is not
  static constexpr bool known = false;
  using Context = void;
};
template <class R, class C, class... P>
struct MemberSignature<R (C::*)(P...)> : Signature<R(P...)> {};
template <class R, class C, class... P>
struct MemberSignature<R (C::*)(P...) const> : Signature<R(P...)> {};
template <class R, class C, class... P>
struct MemberSignature<R (C::*)(P...) noexcept> : Signature<R(P...)> {};
template <class R, class C, class... P>
struct MemberSignature<R (C::*)(P...) const noexcept> : Signature<R(P...)> {};
template <class R, class C, class... P>
struct MemberSignature<R (C::*)(P...)&> : Signature<R(P...)> {};
template <class R, class C, class... P>
struct MemberSignature<R (C::*)(P...) const&> : Signature<R(P...)> {};
template <class R, class C, class... P>
struct MemberSignature<R (C::*)(P...)& noexcept> : Signature<R(P...)> {};
template <class R, class C, class... P>
struct MemberSignature<R (C::*)(P...) const& noexcept> : Signature<R(P...)> {};

/// A wrapper is called like its function, without a LoadContext.
template <class R, class Parameters>
struct WrapperSignature {
  static constexpr bool known = false;
  using Context = void;
};
template <class R, class... P>
struct WrapperSignature<R, TypeList<P...>> : Signature<R(P...)> {};
template <class F>
struct Signature<cached<F>> {
  static constexpr bool known = false;
  using Context = void;
};
template <class F>
requires Signature<F>::known struct Signature<cached<F>>
    : WrapperSignature<std::remove_cvref_t<typename Signature<F>::Result>, typename Signature<F>::Parameters> {
};

template <class F>
  requires requires { &F::operator(); }
struct Signature<F> : MemberSignature<decltype(&F::operator())> {};

template <class R, class Parameters>
struct FunctionType;
template <class R, class... P>
struct FunctionType<R, TypeList<P...>> {
  using type = std::remove_cvref_t<R>(std::decay_t<P>...);
};
template <class F>
struct Canonical {
  using type = F;
};
template <class F>
requires Signature<F>::known struct Canonical<F>
    : FunctionType<typename Signature<F>::Result, typename Signature<F>::Parameters> {
};
/// One function type for all functions with F's result and parameters, however
/// these are passed; F itself where it does not say them.
template <class F>
using canonical_t = typename Canonical<F>::type;

template <class F>
inline constexpr bool is_erased = std::is_function_v<F>;
template <class S>
inline constexpr bool is_erased<std::function<S>> = true;
/// `cached<F>` is a handle: it refers to wrappers of any functions with one
/// signature.
template <class F>
concept Erased = is_erased<F>;
/// A cached<F> can refer to the wrapper of a G.
template <class F, class G>
concept HandleOf =
    Erased<F> && !std::same_as<F, G> && Signature<G>::known && std::same_as<canonical_t<F>, canonical_t<G>>;
/// A cached<F> is a handle, and of other wrappers than that of a G.
template <class F, class G>
concept OtherThan = Erased<F> && !std::same_as<F, G> && !HandleOf<F, G>;

/// F's last parameter is a LoadContext<R>&, which the cache passes.
template <class F>
inline constexpr bool kTakesContext = !std::is_void_v<typename Signature<F>::Context>;

/// How an argument is kept when the call is over: views become what they view.
template <class T>
struct Owned {
  using type = T;
};
template <class Char, class Traits>
struct Owned<std::basic_string_view<Char, Traits>> {
  using type = std::basic_string<Char, Traits>;
};
template <>
struct Owned<const char*> {
  using type = std::string;
};
template <>
struct Owned<char*> {
  using type = std::string;
};
template <class T, std::size_t N>
struct Owned<std::span<T, N>> {
  using type = std::vector<std::remove_cv_t<T>>;
};
template <class T>
struct Owned<std::optional<T>> {
  using type = std::optional<typename Owned<T>::type>;
};
template <class A, class B>
struct Owned<std::pair<A, B>> {
  using type = std::pair<typename Owned<A>::type, typename Owned<B>::type>;
};
template <class... Ts>
struct Owned<std::tuple<Ts...>> {
  using type = std::tuple<typename Owned<Ts>::type...>;
};
template <class T>
using owned_t = typename Owned<std::decay_t<T>>::type;

/// The type argument I is converted to before it becomes part of the key: the parameter's, or its own where the
/// callable does not say.
template <class F, std::size_t I, class Argument>
struct ParameterOf {
  using type = std::decay_t<Argument>;
};
template <class List, std::size_t I, class Argument>
struct Nth {
  using type = std::decay_t<Argument>;
};
template <class First, class... Rest, std::size_t I, class Argument>
struct Nth<TypeList<First, Rest...>, I, Argument> : Nth<TypeList<Rest...>, I - 1, Argument> {};
template <class First, class... Rest, class Argument>
struct Nth<TypeList<First, Rest...>, 0, Argument> {
  using type = std::decay_t<First>;
};
template <class F, std::size_t I, class Argument>
requires Signature<F>::known struct ParameterOf<F, I, Argument> : Nth<typename Signature<F>::Parameters, I, Argument> {
};
template <class F, std::size_t I, class Argument>
using parameter_t = typename ParameterOf<F, I, Argument>::type;

template <class T>
concept TextParameter = std::same_as<owned_t<T>, std::string>;

/// The argument as a P, by an implicit conversion: never by an explicit constructor of the user's.
template <class P, class Argument>
P convert(Argument&& argument) {
  if constexpr (std::is_arithmetic_v<P> && std::is_convertible_v<Argument, P>) {
    return static_cast<P>(argument);
  } else if constexpr (std::is_convertible_v<Argument, P>) {
    return std::forward<Argument>(argument);
  } else {  // text
    return P(std::forward<Argument>(argument));
  }
}

/// Writes one argument as the parameter type P sees it, without making a P where that is not needed.
template <class P, class Argument>
void append_argument(KeyBuffer& out, const Argument& argument) {
  if constexpr (TextParameter<P> && std::convertible_to<const Argument&, std::string_view>) {
    append_text(out, argument);
  } else if constexpr (std::is_arithmetic_v<P> && std::convertible_to<const Argument&, P>) {
    append_part<P>(out, static_cast<P>(argument));
  } else if constexpr (std::same_as<P, std::decay_t<Argument>>) {
    append_part<P>(out, argument);
  } else {
    append_part<P>(out, convert<P>(argument));
  }
}

/// Not spelled as the number that it is, or not a type that std::cmp_less takes.
template <class P>
concept CharacterOrBool = std::same_as<P, bool> || std::same_as<P, char> || std::same_as<P, wchar_t> ||
    std::same_as<P, char8_t> || std::same_as<P, char16_t> || std::same_as<P, char32_t>;

/// The usual arguments, short text of letters and digits and small numbers, without leaving registers. False: it is
/// none of these and nothing was written.
template <class P, bool Separated, class Argument>
[[gnu::always_inline]] inline bool put_argument(KeyCursor& at, std::uint64_t* words, const Argument& argument) {
  if constexpr (TextParameter<P> && requires { put_alphanumeric<Separated>(at, words, argument); }) {
    return put_alphanumeric<Separated>(at, words, argument);
  } else if constexpr (std::integral<P> && !CharacterOrBool<P> && std::convertible_to<const Argument&, P>) {
    return put_small<Separated>(at, words, static_cast<P>(argument));
  } else {
    return false;
  }
}

/// One address per type in a library, to tell functions apart.
template <class T>
inline constexpr char kTypeMark = 0;

template <class F>
FunctionMark mark_function(const F& function, CodePlace where) {
  FunctionMark mark;
  mark.type = &kTypeMark<F>;
  mark.info = type_info_of<F>();
  mark.where = where;
  if constexpr (std::is_empty_v<F>) {
    mark.comparable = true;
  } else if constexpr (std::is_trivially_copyable_v<F> && std::has_unique_object_representations_v<F>) {
    mark.note_state(&function, sizeof function);
  }
  return mark;
}

/// Stands for a function where functions are compared.
template <auto Function>
struct FunctionOf {};

/// The name of a function as a part of a key, `plain` or, of an instance of a template, `twice<int>` and `Box<int>.f`.
/// `name` is its function_name and `function` is FunctionOf it; null without RTTI: instances of templates then have
/// `name` alone.
std::string name_in_key(std::string_view name, const std::type_info* function);

/// The unqualified name of a function given as a template argument, without template arguments: the same from g++,
/// which prints them and `{anonymous}`, and clang, which prints `&` and `(anonymous namespace)`.
template <auto Function>
constexpr std::string_view function_name() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("Function = ") + 11);
  std::size_t depth = 0;  // of brackets
  std::size_t begin = 0;
  std::size_t length = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (depth == 0 && (c == ';' || c == ']' || c == '[')) break;
    if (depth == 0 && (c == ':' || c == '&' || c == ' ')) {
      begin = i + 1;
      length = 0;
    } else if (c == '<' || c == '(') {
      ++depth;
    } else if (c == '>' || c == ')') {
      if (depth > 0) --depth;
    } else if (depth == 0) {
      ++length;
    }
  }
  return text.substr(begin, length);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
