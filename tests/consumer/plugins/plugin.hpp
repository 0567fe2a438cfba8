#pragma once
// What a program and its plug-ins include, each with an address of its own for whatever is inline here.
#include <dsta/cache.hpp>
#include <dsta/cache/global.hpp>

#include <string>
#include <vector>

struct Quote {
  double bid, ask;
};
template <>
inline constexpr std::string_view dsta::cache::trivially_codable<Quote> = "quote/1";

inline double fetch_price(const std::string& symbol) { return static_cast<double>(symbol.size()); }

struct Plugin {
  void (*store)(dsta::cache::CacheManager&);
  /// What store() of another plug-in stored: the name of the first that is not found; null: all are.
  const char* (*missing)(dsta::cache::CacheManager&);
  double (*price)(dsta::cache::CacheManager&);
  /// Wrapped until the process ends. False: refused with a ConfigError.
  bool (*wrap_own)(dsta::cache::CacheManager&);
  void (*store_own)(dsta::cache::CacheManager&);
  bool (*finds_own)(dsta::cache::CacheManager&);
  dsta::cache::CacheManager* (*global)();
  const void* (*thread_record)();
};
