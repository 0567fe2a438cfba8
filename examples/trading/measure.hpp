// Calls a cached function cold, warm and after an invalidation, and checks that all three answer the same.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "report.hpp"

namespace trading {

template <class Call>
auto timed(Call& call) {
  const auto start = std::chrono::steady_clock::now();
  auto result = call();
  return std::pair{std::move(result), Nanoseconds{std::chrono::steady_clock::now() - start}};
}

/// `invalidate()` makes the cache forget the answer, `call()` asks the cached function. The data must not change
/// meanwhile: then an answer that differs is a fault of the cache, or of the function.
template <class Invalidate, class Call>
void measure(Report& report, std::string name, Invalidate invalidate, Call call) {
  constexpr int kTimed = 1000;
  constexpr int kCompared = 10;
  invalidate();
  const auto [cold, cold_time] = timed(call);

  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kTimed; ++i) call();
  const Nanoseconds cached_time = (std::chrono::steady_clock::now() - start) / kTimed;
  bool same = true;
  for (int i = 0; i < kCompared; ++i) same = same && call() == cold;

  invalidate();
  const auto [reloaded, reloaded_time] = timed(call);
  report.timing({name, cold_time, cached_time, reloaded_time, describe(reloaded)});
  report.quiet_check(same, name + ": the cached answers equal the cold one");
  report.quiet_check(reloaded == cold, name + ": the answer after invalidation equals the cold one");
}

}  // namespace trading
