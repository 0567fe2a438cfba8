#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

/// Fuzz targets. A file has one:
///
///     FUZZ_TARGET(glob) { ... input ... require(matches == slow_matches, "the fast matcher disagrees"); }
///
/// Built with DSTA_CACHE_FUZZER it is libFuzzer's entry point. Without, it is one of those that `replay` calls with the
/// files of corpus/<name>, so that what fuzzers found is tested by every build.
namespace dsta::cache::fuzz {

using Target = void (*)(std::string_view input);

/// Makes a target known to `replay`.
bool add_target(std::string_view name, Target target);

/// Ends the process, which is how a fuzzer learns of it.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

}  // namespace dsta::cache::fuzz

#ifdef DSTA_CACHE_FUZZER
#define FUZZ_TARGET(name)                                                             \
  static void name##_target(std::string_view input);                                  \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);  \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
    name##_target(std::string_view(reinterpret_cast<const char*>(data), size));       \
    return 0;                                                                         \
  }                                                                                   \
  static void name##_target(std::string_view input)
#else
#define FUZZ_TARGET(name)                                                                                  \
  static void name##_target(std::string_view input);                                                       \
  [[maybe_unused]] static const bool name##_added = ::dsta::cache::fuzz::add_target(#name, name##_target); \
  static void name##_target(std::string_view input)
#endif
