// expect: <dsta/cache/message.hpp> for protobuf messages
#include <dsta/cache.hpp>
#ifdef DSTA_CONTROL
#include <dsta/cache/message.hpp>
#endif

struct Quote {
  double price;
  bool SerializeToString(std::string* out) const;
  bool ParseFromArray(const void* bytes, int size);
};

bool set(dsta::cache::CacheManager& cache, const Quote& quote) {
  return cache.set("quote", quote) == dsta::cache::SetResult::stored;
}
