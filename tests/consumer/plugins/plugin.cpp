// Compiled twice. What is in the anonymous namespace or static has one name in both plug-ins, and is not the same.
#include "plugin.hpp"

using namespace std::chrono_literals;
using dsta::cache::CacheManager;

namespace {
#ifdef SECOND
struct Note {
  int number;
};
#else
struct Note {
  float number;
};
#endif
}  // namespace
template <>
inline constexpr std::string_view dsta::cache::trivially_codable<Note> = "note/1";

static int own(int x) {
#ifdef SECOND
  return -x;
#else
  return x;
#endif
}

extern "C" __attribute__((visibility("default"))) const Plugin plugin;
const Plugin plugin = {
    [](CacheManager& cache) {
      cache.set("int", 42);
      cache.set("text", "text");
      cache.set("double", 2.5);
      cache.set("quote", Quote{1, 2});
      cache.set("quotes", std::vector<std::byte>{std::byte{7}});
      cache.set("maybe", std::optional<int>(7));
      cache.del("counter");
      (void)cache.increment("counter", 5);
    },
    [](CacheManager& cache) -> const char* {
      if (cache.get<int>("int") != 42) return "int";
      if (cache.get("text") != "text") return "text";
      if (cache.get<double>("double") != 2.5) return "double";
      if (!cache.get<Quote>("quote") || cache.get<Quote>("quote")->ask != 2) return "quote";
      if (!cache.get<std::vector<std::byte>>("quotes")) return "quotes";
      if (cache.get<std::optional<int>>("maybe") != std::optional<int>(7)) return "maybe";
      if (cache.get<int>("counter") != 5) return "counter";
      if (cache.get<float>("double") || cache.get<unsigned>("text")) return "nothing but was found as another type";
      return nullptr;
    },
    [](CacheManager& cache) {
      static auto price = cache.cached<fetch_price>({.ttl = 60s, .prefix = "api"});
      return price("BTC");
    },
    [](CacheManager& cache) {
      try {
        static auto wrapped = cache.cached<own>({.ttl = 60s, .prefix = "own"});
        return true;
      } catch (const dsta::cache::ConfigError&) {
        return false;
      }
    },
    [](CacheManager& cache) { cache.set("note", Note{1}); },
    [](CacheManager& cache) { return cache.get<Note>("note").has_value(); },
    [] { return &dsta::cache::cache_manager(); },
    []() -> const void* { return &dsta::cache::detail::thread_record(); },
};
