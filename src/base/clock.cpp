#include <dsta/cache/clock.hpp>

#include <dsta/cache/detail/coarse_clock.hpp>

namespace dsta::cache {
inline namespace v1 {

namespace {

class SystemClock final : public Clock {
 public:
  TimePoint now() const noexcept override { return detail::coarse_now(); }

  bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, TimePoint deadline) override {
    if (deadline == TimePoint::max()) {
      wake.wait(lock);
      return false;
    }
    wake.wait_until(lock, deadline);
    return std::chrono::steady_clock::now() >= deadline;
  }
};

}  // namespace

std::shared_ptr<Clock> system_clock() {
  static const auto clock = std::make_shared<SystemClock>();
  return clock;
}

}  // namespace v1
}  // namespace dsta::cache
