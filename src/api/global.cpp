#include <dsta/cache/global.hpp>

namespace dsta::cache {
inline namespace v1 {

CacheManager& cache_manager() {
  static CacheManager manager = CacheManager::from_env();
  return manager;
}

}  // namespace v1
}  // namespace dsta::cache
