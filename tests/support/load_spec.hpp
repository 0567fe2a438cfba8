#pragma once
#include <dsta/cache/detail/identity.hpp>
#include <dsta/cache/detail/load.hpp>

namespace dsta::cache::testing_support {

/// What a flight of the function needs whose values are of type int.
inline detail::LoadSpec load_of_int(detail::Identity& identity) {
  detail::LoadSpec made;
  made.identity = &identity;
  made.type = &detail::kTypeOps<int>;
  return made;
}

}  // namespace dsta::cache::testing_support
