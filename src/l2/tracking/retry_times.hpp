#pragma once
#include <chrono>
#include <cstdint>
#include <random>

#include <dsta/cache/duration.hpp>

#include "base/random_word.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// When the channel's thread makes the next attempt of each kind: at random, so that a fleet does not come back as one,
/// and never more than two a second. One thread.
class RetryTimes {
 public:
  TimePoint connect{}, registration{}, data_connection{};

  TimePoint after(TimePoint now) { return now + std::chrono::milliseconds(pause_(random_)); }

 private:
  std::minstd_rand random_{static_cast<std::uint32_t>(random_word())};
  std::uniform_int_distribution<std::int64_t> pause_{600, 1400};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
