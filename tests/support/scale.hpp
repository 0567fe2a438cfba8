#pragma once
#include <algorithm>
#include <cstddef>

namespace dsta::cache::testing_support {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

/// How often a heavy test repeats: `n`, a twentieth of it under a sanitizer.
inline std::size_t scaled(std::size_t n) { return kSanitized ? std::max<std::size_t>(1, n / 20) : n; }

}  // namespace dsta::cache::testing_support
