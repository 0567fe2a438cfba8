#pragma once
/// Overloads that say in one sentence why a call is refused.
///
/// A call that no overload takes gets a list of all candidates from the compiler. So the mistakes that are made have an
/// overload of their own, which no valid call chooses and which cannot be called: the first error is its sentence. To
/// std::is_invocable and in a requires-expression such a call is not valid, as it would be without the overload.
#include <cstddef>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A text as a template argument. g++ shows it where it names a deleted function.
template <std::size_t N>
struct Sentence {
  constexpr Sentence(const char (&characters)[N]) {
    for (std::size_t i = 0; i < N; ++i) text[i] = characters[i];
  }
  char text[N]{};
};

/// The result of a refused call. It has no definition.
template <Sentence>
struct error;

/// Takes also what no template parameter is deduced from, such as an overloaded function, and takes it last.
struct NotOneFunction {
  NotOneFunction(...);
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache

/// Inside our namespace: declares a function whose call is an error that says `sentence`, as in
///     DSTA_CACHE_REFUSED(bool, call(int) const, "the sentence");
/// The result is what a valid call would have, so that nothing else is wrong with the user's line.
#ifdef __clang__
#define DSTA_CACHE_REFUSED(result, function, sentence)                                                  \
  _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wgcc-compat\"") result function \
      __attribute__((diagnose_if(true, sentence, "error"))) _Pragma("clang diagnostic pop")
#else
#define DSTA_CACHE_REFUSED(result, function, sentence) detail::error<sentence> function = delete
#endif

/// The same for a constructor, which has no result: a template with a condition, and with more parameters behind the
/// sentence:
///     DSTA_CACHE_REFUSED_CONSTRUCTOR((C<T>), Handle(const T&), "the sentence", class T);
/// (clang does not look at diagnose_if where it constructs.)
#ifdef __clang__
#define DSTA_CACHE_REFUSED_CONSTRUCTOR(condition, constructor, sentence, ...) \
  template <class = void __VA_OPT__(, ) __VA_ARGS__>                          \
    requires(condition)                                                       \
  __attribute__((unavailable(sentence))) constructor
#else
#define DSTA_CACHE_REFUSED_CONSTRUCTOR(condition, constructor, sentence, ...) \
  template <class = detail::error<sentence> __VA_OPT__(, ) __VA_ARGS__>       \
    requires(condition)                                                       \
  constructor = delete
#endif

/// Of hooks.
#define DSTA_CACHE_LATE_HOOK                                                                                      \
  "a hook is chained where the wrapper is made, before anyone calls it: auto f = cache.cached(options, function)" \
  ".condition(keep); (or std::move(f).condition(keep) there)"
/// Of what stands where a function to wrap should.
#define DSTA_CACHE_OVERLOADED                                                                                        \
  "this is not one function: of an overloaded function or a function template wrap a lambda that calls the one you " \
  "mean, [](const std::string& symbol) { return f(symbol); }"
/// Of handles.
#define DSTA_CACHE_NEVER_EMPTY                                                                                       \
  "a wrapper is never empty: initialize it with cache.cached(options, function), or hold it in a std::optional (in " \
  "a map use emplace, insert_or_assign and at, not [])"
#define DSTA_CACHE_ANOTHER_SIGNATURE                                                                                \
  "the wrapped function has other parameters or another result than this handle: cached<R(Args...)> names exactly " \
  "these types, by value or by reference"
#define DSTA_CACHE_GENERIC_IN_A_HANDLE                                                                               \
  "the wrapped function does not say its parameter types, which a handle needs: spell them out instead of auto, as " \
  "in [](const std::string& symbol)"
#define DSTA_CACHE_BARE_FUNCTION \
  "a handle refers to a wrapper and not to a bare function: initialize it with cache.cached(options, function)"
