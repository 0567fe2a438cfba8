#pragma once
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <dsta/cache/codec.hpp>
#include <dsta/cache/detail/signature.hpp>
#include <dsta/cache/detail/takes.hpp>
#include <dsta/cache/set_result.hpp>
#include <dsta/cache/stats.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Looks like a coroutine's generator or task: has a promise type.
template <class T>
concept Coroutine = requires {
  typename T::promise_type;
};

template <class P>
concept PointerParameter = std::is_pointer_v<std::decay_t<P>> || std::is_member_pointer_v<std::decay_t<P>> ||
    std::same_as<std::decay_t<P>, std::nullptr_t>;

template <class List>
inline constexpr bool has_pointer = false;
template <class... P>
inline constexpr bool has_pointer<TypeList<P...>> = (PointerParameter<P> || ...);
template <class List>
inline constexpr bool has_out_parameter = false;
template <class... P>
inline constexpr bool has_out_parameter<TypeList<P...>> =
    ((std::is_lvalue_reference_v<P> && !std::is_const_v<std::remove_reference_t<P>>) || ...);

/// What a copy of an argument would still refer to: the caller's text or elements.
struct BorrowsElements {
  static constexpr bool through_pointers = false;
  template <class T>
  static constexpr bool of = RefersElsewhere::of<T>;
};
template <class T>
  requires(!std::is_function_v<T>)
inline constexpr bool BorrowsElements::of<T*> = true;

template <class List>
inline constexpr bool has_borrowed = false;
template <class... P>
inline constexpr bool has_borrowed<TypeList<P...>> = (holds<BorrowsElements, owned_t<P>> || ...);

/// The load can pass its own copy of an argument, which it keeps.
template <class P>
inline constexpr bool takes_copy = std::is_convertible_v<const owned_t<P>&, P>;
template <class T>
inline constexpr bool takes_copy<T&&> = std::is_copy_constructible_v<std::remove_cv_t<T>>;
template <class List>
inline constexpr bool take_copies = false;
template <class... P>
inline constexpr bool take_copies<TypeList<P...>> = (takes_copy<P> && ...);

template <class T>
inline constexpr bool is_shared_of_mutable = false;
template <class T>
inline constexpr bool is_shared_of_mutable<std::shared_ptr<T>> = !std::is_const_v<T>;

/// Says in one sentence why a result cannot be cached; true when it can.
template <class R>
consteval bool check_result() {
  using T = std::remove_cvref_t<R>;
  if constexpr (std::is_void_v<R>) {
    static_assert(always_false<R>,
                  "the function returns void, there is nothing to cache: return the value it works out");
  } else if constexpr (std::is_reference_v<R>) {
    static_assert(always_false<R>,
                  "the function returns a reference, which the cache cannot keep alive: return a value");
  } else if constexpr (std::is_pointer_v<T>) {
    static_assert(always_false<R>,
                  "the function returns a raw pointer, and the cache cannot own what it points to: return "
                  "a value or a std::shared_ptr<const T>");
  } else if constexpr (holds_view<T>) {
    static_assert(always_false<R>,
                  "the function returns a view, which the cache cannot keep alive: return a std::string, "
                  "a std::vector or another container that owns its elements");
  } else if constexpr (Coroutine<T>) {
    static_assert(always_false<R>,
                  "the function returns a coroutine, which can be run only once: return the finished "
                  "value");
  } else if constexpr (!std::is_copy_constructible_v<T>) {
    static_assert(always_false<R>,
                  "the function's result cannot be copied, and every caller gets a copy: return a "
                  "std::shared_ptr<const T>");
  } else if constexpr (!Cacheable<T> && is_shared_of_mutable<T>) {
    static_assert(always_false<R>,
                  "the function returns a std::shared_ptr<T>, through which each caller could change what all others "
                  "read: return a std::shared_ptr<const T>");
  } else if constexpr (!Cacheable<T>) {
    static_assert(
        always_false<R>,
        "no codec for the function's result: name its fields (dsta::cache::fields<T>), include "
        "<dsta/cache/json.hpp> for types that nlohmann::json converts or <dsta/cache/message.hpp> for protobuf "
        "messages, specialise dsta::cache::codec<T>, or mark it in_process_only");
  } else {
    return true;
  }
  return false;
}

/// Text of the caller's, which a key can say. Of other pointers the key says why not.
template <class T>
inline constexpr bool borrows_text = RefersElsewhere::of<T>;
template <class T>
inline constexpr bool borrows_text<T*> = TextLike<T*>;
struct BorrowsText {
  static constexpr bool through_pointers = false;
  template <class T>
  static constexpr bool of = borrows_text<T>;
};

/// Says in one sentence why arguments of a call with open parameter types cannot be kept; true when they can.
template <class... Kept>
consteval bool check_kept() {
  constexpr bool borrowed = (holds<BorrowsText, Kept> || ...);
  static_assert(!borrowed,
                "an argument holds views or pointers to text that the cache cannot keep alive while it loads: pass a "
                "container that owns its elements, such as std::vector<std::string>");
  return !borrowed;
}

/// Says in one sentence why F cannot be wrapped; true when it can (or when only a call can tell).
template <class F>
consteval bool check_function() {
  if constexpr (std::is_member_pointer_v<F>) {
    static_assert(always_false<F>, "a member function needs its object: wrap a lambda that calls it");
    return false;
  } else if constexpr (Signature<F>::known) {
    using Parameters = typename Signature<F>::Parameters;
    if constexpr (has_pointer<Parameters>) {
      static_assert(always_false<F>,
                    "the function takes a pointer, whose address says nothing about the value: take "
                    "the value (std::string or std::string_view for text)");
      return false;
    } else if constexpr (has_out_parameter<Parameters>) {
      static_assert(always_false<F>,
                    "the function takes a non-const reference, and a cached call could not write to it: "
                    "return everything it works out");
      return false;
    } else if constexpr (has_borrowed<Parameters>) {
      static_assert(
          always_false<F>,
          "the function takes views or pointers that the cache cannot keep alive while it loads: take a container "
          "that owns its elements, such as std::vector<std::string>");
      return false;
    } else if constexpr (!take_copies<Parameters>) {
      static_assert(
          always_false<F>,
          "the function takes a parameter that no copy can be passed for, and the cache keeps a copy while it "
          "loads: take a const reference to a type that can be copied (std::span<const T> for a span)");
      return false;
    } else if constexpr (!std::is_void_v<typename Signature<F>::Context> &&
                         !std::same_as<typename Signature<F>::Context,
                                       LoadContext<std::remove_cvref_t<typename Signature<F>::Result>>>) {
      static_assert(always_false<F>,
                    "the function's LoadContext is not of its result: take LoadContext<R>& where R is what it returns");
      return false;
    } else {
      return check_result<typename Signature<F>::Result>();
    }
  } else {
    return true;
  }
}

/// Stands in for the wrapper of a function that was refused: has its members and results, so that the compiler says no
/// more than the one sentence.
template <class F>
struct Refused {
  template <class... Arguments>
  auto operator()(const Arguments&...) const {
    if constexpr (Signature<F>::known) {
      return refused<typename Signature<F>::Result>();
    } else if constexpr (std::is_invocable_v<F, const Arguments&...>) {
      return refused<std::invoke_result_t<F, const Arguments&...>>();
    } else {
      return *this;
    }
  }
  template <class... Arguments>
  auto refresh(const Arguments&... arguments) const {
    return (*this)(arguments...);
  }
  template <class... Arguments>
  auto shared(const Arguments&... arguments) const {
    return refused<std::shared_ptr<const decltype((*this)(arguments...))>>();
  }
  template <class... Arguments>
  auto peek(const Arguments&... arguments) const {
    return refused<std::optional<decltype((*this)(arguments...))>>();
  }
  template <class... Arguments>
  bool invalidate(const Arguments&...) const {
    return false;
  }
  template <class... ArgumentsAndValue>
  SetResult put(const ArgumentsAndValue&...) const {
    return SetResult::not_stored;
  }
  template <class... Arguments>
  std::string key_for(const Arguments&...) const {
    return {};
  }
  FunctionInfo cache_info() const { return {}; }
  void cache_clear() const {}
  template <class Hook>
  Refused key_builder(const Hook&) const {
    return {};
  }
  template <class Hook>
  Refused bulk_loader(const Hook&) const {
    return {};
  }
  template <class Hook>
  Refused condition(const Hook&) const {
    return {};
  }
  template <class Hook>
  Refused adaptive_ttl(const Hook&) const {
    return {};
  }
  template <class Hook>
  Refused adaptive_tags(const Hook&) const {
    return {};
  }
  template <class Handle>
  operator cached<Handle>() const {
    return refused<cached<Handle>>();
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
