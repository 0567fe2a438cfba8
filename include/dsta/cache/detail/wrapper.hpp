#pragma once
#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/detail/hook.hpp>
#include <dsta/cache/detail/key_buffer.hpp>
#include <dsta/cache/detail/signature.hpp>
#include <dsta/cache/duration.hpp>
#include <dsta/cache/outcome.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The result of a call that is not valid.
struct NoResult {};

template <class F, class... Arguments>
struct ResultOf {
  using type = NoResult;
};
template <class F, class... Arguments>
  requires(!Signature<F>::known && std::is_invocable_v<F&, const owned_t<Arguments>&...>)
struct ResultOf<F, Arguments...> {
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
struct Hooks;
template <class F>
using hooks_t = Hooks<canonical_t<F>>;
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
template <class R_, class... P>
struct Hooks<R_(P...)> {
  using R = R_;
  using Decayed = TypeList<P...>;
  using Item = typename ItemFor<TypeList<P...>>::type;
  static constexpr std::size_t arity = sizeof...(P);
  /// Takes the addresses of the first `builder_takes` arguments, converted to the parameters.
  Hook<void(KeyBuffer&, const void* const* arguments)> build_key;
  std::size_t builder_takes = 0;
  Hook<std::vector<Outcome<R>>(const std::vector<Item>&)> load_many;
  Hook<bool(const R&)> keep;
  Hook<OptionalDuration(const R&)> ttl_of;
  Hook<std::vector<std::string>(const R&)> tags_of;
};

template <class List>
inline constexpr unsigned kPlainArguments = 0;
template <class... P>
inline constexpr unsigned kPlainArguments<TypeList<P...>> = [] {
  unsigned bits = 0, bit = 1;
  [[maybe_unused]] const auto add = [&](bool plain) {
    bits |= plain ? bit : 0;
    bit <<= 1;
  };
  (add(TextLike<std::decay_t<P>> || std::integral<std::decay_t<P>>), ...);
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

/// How many arguments a call has at most; kAnyNumber where F does not say.
inline constexpr std::size_t kAnyNumber = static_cast<std::size_t>(-1);
template <class F>
constexpr std::size_t max_arguments() {
  if constexpr (Signature<F>::known) {
    return Signature<F>::Parameters::size;
  } else {
    return kAnyNumber;
  }
}

/// A wrapper's share in its function's registration, given back by release() or at the end of its life.
class Registration {
 public:
  Registration(Core& core, Identity& identity) noexcept : core_(&core), identity_(identity) {}
  ~Registration() { release(); }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  void release() noexcept {
    if (Core* const core = std::exchange(core_, nullptr)) core->release_function(identity_);
  }

 private:
  Core* core_;
  Identity& identity_;
};

/// Throws ConfigError for a type in the binary codec: raw bytes do not say their shape, so they would be misread once
/// it changes.
void check_raw_codec(const TypeOps& type);

/// What all copies of one wrapper share, whatever its function is. Immutable once the wrapper is in use.
struct WrapperBase {
  /// `plain`: see plain_arguments. `arguments`: see max_arguments. Throws ConfigError.
  WrapperBase(std::shared_ptr<Core> core, const EntryOptions& options, const FunctionMark& mark, unsigned plain,
              std::size_t arguments);
  ~WrapperBase() = default;
  WrapperBase(const WrapperBase&) = delete;
  WrapperBase& operator=(const WrapperBase&) = delete;

  bool is_raw() const { return terms->raw; }
  /// False where L1 is not to be used for values of this type although it is there.
  bool reads_here(const TypeOps& type) const {
    return may_read_here(type) && !identity->mixed_tags.load(std::memory_order_relaxed);
  }
  /// The same where the tags of what is found are compared. What never leaves the process is here, whatever the level.
  bool may_read_here(const TypeOps& type) const { return in_process || !type.shareable || !core->has_l2(); }

  std::shared_ptr<Core> core;
  std::shared_ptr<const EntryTerms> terms;
  Identity* identity = nullptr;
  Registration registration;
  KeyBuffer::Head head;       ///< prefix:name, the key of a call without arguments
  KeyBuffer::Head open_head;  ///< with ':' behind it, the start of all others
  const bool in_process = terms->level != Level::l2 && !terms->raw;
};

/// What wrappers of all functions with one signature have in common, which is
/// all that a hit needs.
template <class F>
struct SignatureState;
template <class R, class... P>
struct SignatureState<R(P...)> : WrapperBase, Hooks<R(P...)> {
  /// Runs the function for a load.
  using Run = R (*)(SignatureState& state, Loaded& loaded, const NodeRef& previous, const owned_t<P>&... arguments);

  SignatureState(std::shared_ptr<Core> core_, const EntryOptions& options, const FunctionMark& mark, Run run_,
                 bool takes_context_)
      : WrapperBase(std::move(core_), options, mark, plain_arguments<R(P...)>(), sizeof...(P)),
        run(run_),
        takes_context(takes_context_) {
    if (is_raw()) check_raw_codec(kTypeOps<R>);
  }

  const Run run;
  const bool takes_context;  ///< the function takes a LoadContext
};

template <class F, class Canonical = canonical_t<F>>
struct RunFunction;

/// The wrapper of an F.
template <class F>
struct WrapperState : WrapperBase {
  WrapperState(std::shared_ptr<Core> core_, const EntryOptions& options, F function_, const FunctionMark& mark)
      : WrapperBase(std::move(core_), options, mark, plain_arguments<F>(), max_arguments<F>()),
        function(std::move(function_)) {}
  /// Another function may take the name before this one is destroyed, which may run the user's code.
  ~WrapperState() { registration.release(); }

  F function;
};
template <class F>
requires Signature<F>::known struct WrapperState<F> : SignatureState<canonical_t<F>> {
  WrapperState(std::shared_ptr<Core> core_, const EntryOptions& options, F function_, const FunctionMark& mark)
      : SignatureState<canonical_t<F>>(std::move(core_), options, mark, &RunFunction<F>::run, kTakesContext<F>),
        function(std::move(function_)) {}
  ~WrapperState() { this->registration.release(); }

  F function;
};

/// What a cached<F> refers to.
template <class F>
struct StateOf {
  using type = WrapperState<F>;
};
template <Erased F>
struct StateOf<F> {
  using type = SignatureState<canonical_t<F>>;
};
template <class F>
using state_t = typename StateOf<F>::type;

/// Throws ConfigError.
[[noreturn]] void refuse_raw_tags(std::string_view tag);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
