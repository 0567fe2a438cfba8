#pragma once
/// Values of your own structs without JSON: name the fields once, beside the struct.
///
///     struct Candle {
///       std::int64_t time;
///       double open, high, low, close;
///     };
///     template <>
///     inline constexpr auto dsta::cache::fields<Candle> =
///         dsta::cache::members<&Candle::time, &Candle::open, &Candle::high, &Candle::low, &Candle::close>;
///
/// The names and types of the fields are part of the codec's name: after a field was added, removed, renamed, moved or
/// given another type, what was stored before is a miss. A field that is not listed is not stored; a decoded value has
/// what the default constructor gives it.
///
/// A class with private members lists them itself:
///     static constexpr auto cache_fields() { return dsta::cache::members<&Account::owner_, &Account::balance_>; }
/// A class that inherits that function, and has members of its own, lists all of them again.
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace dsta::cache {
inline namespace v1 {

namespace detail {

/// The name of a data member that is given as a template argument: the same from g++ and clang. Returns auto, as g++
/// would say behind the arguments what std::string_view stands for.
template <auto Member>
consteval auto member_name() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("Member = ") + 9);
  text.remove_suffix(1);
  while (text.ends_with(' ') || text.ends_with(')')) text.remove_suffix(1);
  return text.substr(text.find_last_of(":&") + 1);
}

template <class Pointer>
struct MemberType;
template <class T, class Class>
struct MemberType<T Class::*> {
  using type = T;
};

template <class T, class List>
struct ListedFields;

}  // namespace detail

/// A list of data members: see `members`.
template <auto... Pointers>
class Members {
  static_assert((std::is_member_object_pointer_v<decltype(Pointers)> && ...),
                "a field is given by its address in the class: members<&Candle::open, &Candle::close>");

 public:
  constexpr Members() = default;

  /// The same list under a version, which is part of the codec's name as well: change it when the meaning of a field
  /// changes but neither its name nor its type (a price that was in dollars is in cents).
  constexpr Members version(std::string_view version) const { return Members(version); }

 private:
  template <class, class>
  friend struct detail::ListedFields;
  constexpr explicit Members(std::string_view version) : version_(version) {}

  std::string_view version_ = {};
};

/// The data members that are stored, in this order, by their addresses: members<&Candle::open, &Candle::close>.
template <auto... Pointers>
inline constexpr Members<Pointers...> members{};

namespace detail {
struct NotNamed {};
}  // namespace detail

/// The fields of T that are stored: specialise it with `members`.
template <class T>
inline constexpr detail::NotNamed fields{};

/// True: all fields of the aggregate T are stored, in their order, as Boost.PFR finds them. Needs <dsta/cache/pfr.hpp>,
/// which says what the codec's name holds then.
template <class T>
inline constexpr bool reflected = false;

namespace detail {

template <class T>
concept NamedFields = !std::is_same_v<decltype(fields<T>), const NotNamed> || requires {
  T::cache_fields();
};

/// Types of the user's whose fields are known.
template <class T>
concept Described = std::is_class_v<T> && !std::is_const_v<T> && (NamedFields<T> || bool(reflected<T>));

template <class T>
constexpr auto listed_fields() {
  if constexpr (!std::is_same_v<decltype(fields<T>), const NotNamed>) {
    return fields<T>;
  } else {
    return T::cache_fields();
  }
}

/// The fields of a described type: `Types`, `tie(value)` (a std::tuple of references), `name(i)` (empty where it is not
/// known) and `version()`. pfr.hpp has it for `reflected` types.
template <class T>
struct FieldsOf;

template <class T, auto... Pointers>
struct ListedFields<T, Members<Pointers...>> {
  using Types = std::tuple<typename MemberType<decltype(Pointers)>::type...>;
  static constexpr auto tie(T& value) { return std::tie((value.*Pointers)...); }
  static constexpr auto tie(const T& value) { return std::tie((value.*Pointers)...); }
  static constexpr std::string_view name(std::size_t index) {
    constexpr std::string_view kNames[] = {member_name<Pointers>()..., ""};
    return kNames[index];
  }
  static constexpr std::string_view version() { return listed_fields<T>().version_; }
};

template <class T, class Class>
Class class_of(T Class::*);

/// False for a list that names base classes' members alone. An inherited cache_fields() gives such a list.
template <class T, class List>
inline constexpr bool lists_own = true;
template <class T, auto... Pointers>
inline constexpr bool lists_own<T, Members<Pointers...>> = sizeof...(Pointers) == 0 ||
                                                           (std::is_same_v<decltype(class_of(Pointers)), T> || ...);

/// fields<T> is about T alone, whatever it lists.
template <class T>
inline constexpr bool lists_own_fields = true;
template <NamedFields T>
inline constexpr bool lists_own_fields<T> = !std::is_same_v<decltype(fields<T>), const NotNamed> ||
                                            lists_own<T, std::remove_cv_t<decltype(listed_fields<T>())>>;

template <NamedFields T>
struct FieldsOf<T> : ListedFields<T, std::remove_cv_t<decltype(listed_fields<T>())>> {};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
