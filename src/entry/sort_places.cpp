#include <dsta/cache/detail/sort_places.hpp>

#include <algorithm>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void sort_places(std::vector<HashedPlace>& places) {
  std::ranges::sort(places, [](const HashedPlace& a, const HashedPlace& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.index < b.index;
  });
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
