// expect: a message inside a value needs #include <dsta/cache/message.hpp>
// lines: 60
#include <dsta/cache.hpp>
#if __has_include(<nlohmann/json.hpp>)
#include <dsta/cache/json.hpp>
#endif
#ifdef DSTA_CONTROL
#include <dsta/cache/message.hpp>
#endif

#include <string>
#include <vector>

struct Quote {
  double price;
  bool SerializeToString(std::string* out) const;
  bool ParseFromArray(const void* bytes, int size);
};
#ifdef NLOHMANN_JSON_VERSION_MAJOR  // could be JSON, but is a message first
inline void to_json(nlohmann::json& json, const Quote& quote) { json = quote.price; }
inline void from_json(const nlohmann::json& json, Quote& quote) { json.get_to(quote.price); }
#endif

bool set(dsta::cache::CacheManager& cache, const std::vector<Quote>& quotes) {
  return cache.set("quotes", quotes) == dsta::cache::SetResult::stored;
}
