#pragma once
/// Whether two types, each seen from a library of its own, are one.
///
/// Inside a library a type is told by an address. Where symbols are hidden (-fvisibility=hidden) two plug-ins of one
/// process have two addresses for it, and then its mangled name tells. The trap: types of anonymous namespaces, of
/// functions and of lambdas, and what is made of a static function, may have one name in two files and be two types.
/// For those the address alone counts.
#include <string_view>
#include <typeinfo>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

template <class T>
constexpr const std::type_info* type_info_of() {
#if defined(__cpp_rtti) || defined(__GXX_RTTI)
  return &typeid(T);
#else
  return nullptr;  // then addresses are all there is
#endif
}

/// False when one of them is null.
bool same_type(const std::type_info* a, const std::type_info* b) noexcept;

/// True when another file may call another type by this mangled name. Also where it cannot be known.
bool is_local_name(std::string_view mangled) noexcept;

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
