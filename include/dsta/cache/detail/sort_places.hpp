#pragma once
#include <cstddef>
#include <vector>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// An element of a JSON array, by its hash.
struct HashedPlace {
  std::size_t hash;
  std::size_t index;
};

/// By hash; equal ones keep their order. Compiled in the library, for it knows no JSON.
void sort_places(std::vector<HashedPlace>& places);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
