#pragma once
#include <exception>

#include <dsta/cache/detail/load.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

// What a load ends in when it does not end in a value or in the loader's own exception. Each names the prefix, never
// the key, which may hold what must not be logged.
std::exception_ptr asks_for_its_own_key(const LoadSpec& spec);
std::exception_ptr took_too_long(const LoadSpec& spec);
std::exception_ptr executor_is_full(const LoadSpec& spec);
std::exception_ptr no_place_in_queue(const LoadSpec& spec);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
