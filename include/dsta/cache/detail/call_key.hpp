#pragma once
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <dsta/cache/detail/key_buffer.hpp>
#include <dsta/cache/detail/signature.hpp>
#include <dsta/cache/detail/wrapper.hpp>
#include <dsta/cache/key.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

class StoredKey;

/// The argument as the parameter type P sees it, converted only when it is of another type. A generic function sees
/// text in quotes as it is.
template <class P, class Argument>
decltype(auto) as_parameter(const Argument& argument) {
  if constexpr (std::same_as<P, Argument> || (std::is_array_v<Argument> && std::same_as<P, std::decay_t<Argument>>)) {
    return (argument);
  } else {
    return convert<P>(argument);
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

/// The part of CallKey that knows no types.
class CallKeyBase {
 public:
  CallKeyBase(const CallKeyBase&) = delete;
  CallKeyBase& operator=(const CallKeyBase&) = delete;
  const KeyView& view() const { return view_; }

 protected:
  explicit CallKeyBase(const KeyBuffer::Head& head) : buffer_(head) {}
  ~CallKeyBase() {
    if (long_) [[unlikely]]
      forget_long();
  }
  /// Takes the key from the buffer, and shortens a long one.
  void finish();
  void forget_long() noexcept;
  [[noreturn]] static void refuse_left_out();

  KeyBuffer buffer_;
  KeyView view_;
  StoredKey* long_ = nullptr;  ///< owned
};

/// The key of one call, on the stack.
template <class F>
class CallKey : public CallKeyBase {
 public:
  template <class... Arguments>
  [[gnu::always_inline]] explicit CallKey(const state_t<F>& state, const Arguments&... arguments)
      : CallKeyBase(sizeof...(Arguments) == 0 ? state.head : state.open_head) {
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
      if (at.size() < kReadableKeyBytes) [[likely]]
        return;
    }
    buffer_.move_to(at);
    finish();
  }

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
  [[gnu::noinline]] void build(const state_t<F>& state, const Arguments&... arguments) {
    if (sizeof...(Arguments) < state.builder_takes) refuse_left_out();
    if (sizeof...(Arguments) == 0) buffer_.push(':');
    const auto build_from = [&](const auto&... converted) {
      const void* const places[] = {static_cast<const void*>(std::addressof(converted))..., nullptr};
      state.build_key(buffer_, places);
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      build_from(as_parameter<parameter_t<F, I, Arguments>>(arguments)...);
    }
    (std::index_sequence_for<Arguments...>{});
    finish();
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
