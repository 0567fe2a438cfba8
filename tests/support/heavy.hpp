#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

/// How much chaos: some by default, all of it with DSTA_CACHE_CHAOS=full, little (of seeds) with =short.
/// DSTA_CACHE_CHAOS_SEED is where seeds begin.
namespace dsta::cache::testing_support {

inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// `full` times by hand, `brief` times otherwise.
inline std::size_t heavy(std::size_t full, std::size_t brief) {
  return environment("DSTA_CACHE_CHAOS") == "full" ? full : brief;
}

inline std::vector<std::uint64_t> chaos_seeds() {
  const std::string given = environment("DSTA_CACHE_CHAOS_SEED");
  const std::size_t brief = environment("DSTA_CACHE_CHAOS") == "short" ? 1 : 2;
  std::vector<std::uint64_t> seeds(heavy(20, brief), given.empty() ? 1 : std::stoull(given));
  for (std::size_t i = 0; i < seeds.size(); ++i) seeds[i] += i;
  return seeds;
}

/// Of one seed.
inline std::chrono::seconds chaos_time() { return std::chrono::seconds(heavy(10, 2)); }

}  // namespace dsta::cache::testing_support
