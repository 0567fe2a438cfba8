#include "api/warm_run.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <dsta/cache/clock.hpp>

#include "base/saturating_add.hpp"

namespace dsta::cache {
inline namespace v1 {

namespace {

/// Another one for each thread of each run. Not by std::random_device, which may throw.
std::minstd_rand::result_type new_seed() noexcept {
  static std::atomic<std::minstd_rand::result_type> runs{0};
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  return static_cast<std::minstd_rand::result_type>(now) + 7919 * ++runs;
}

}  // namespace

std::string describe(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is not a std::exception";
  }
}

std::string CacheWarmer::Run::key_of(const Item& item) {
  try {
    return item.key ? item.key() : std::string();
  } catch (...) {  // it has none: that is why its load failed
    return {};
  }
}

void CacheWarmer::Run::work() noexcept {
  std::minstd_rand random(new_seed());
  for (std::size_t i = next_++; i < items.size(); i = next_++) {
    const bool goes_on = wait_jitter(random);
    if (goes_on) warm(items[i]);
    const detail::MutexLock lock(mutex_);
    if (!goes_on) ++report_.skipped;
    if (++finished_ == items.size()) wake_.notify_all();
  }
}

WarmReport CacheWarmer::Run::wait() {
  detail::MutexLock lock(mutex_);
  while (finished_ != items.size()) wake_.wait(lock.native());
  if (thrown_) std::rethrow_exception(thrown_);
  return std::move(report_);
}

void CacheWarmer::Run::warm(const Item& item) noexcept {
  std::exception_ptr error;
  try {
    item.refresh();
  } catch (...) {  // reported, not silenced
    error = std::current_exception();
  }
  const detail::MutexLock lock(mutex_);
  report_warmed(item, error);
}

void CacheWarmer::Run::report_warmed(const Item& item, const std::exception_ptr& error) noexcept {
  ++(error ? report_.failed : report_.warmed);
  try {
    if (error) report_.errors.push_back({item.name, describe(error), key_of(item)});
  } catch (...) {  // no memory for the text: it is counted
  }
  if (!on_progress || thrown_) return;
  try {
    on_progress({.done = report_.warmed + report_.failed,
                 .total = items.size(),
                 .item = item.name,
                 .failed = error != nullptr});
  } catch (...) {
    thrown_ = std::current_exception();
  }
}

bool CacheWarmer::Run::wait_jitter(std::minstd_rand& random) noexcept {
  // A manager that closes wakes nobody here.
  constexpr std::chrono::milliseconds kBetweenLooks{50};
  const auto goes_on = [&] { return !stop->stopped.load() && !core->closed(); };
  if (jitter <= Duration::zero() || !goes_on()) return goes_on();
  const Duration wait(std::uniform_int_distribution<Duration::rep>(0, jitter.count())(random));
  Clock& clock = *core->options().clock;
  const TimePoint until = detail::saturating_add(clock.now(), wait);
  detail::MutexLock lock(stop->mutex);
  while (goes_on() && clock.now() < until) {
    const TimePoint look = detail::saturating_add(clock.now(), kBetweenLooks);
    clock.wait_until(lock.native(), stop->wake, std::min(until, look));
  }
  return goes_on();
}

}  // namespace v1
}  // namespace dsta::cache
