/// Loads on the executor.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "base/background.hpp"
#include "load/load_runner.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Lands its flights empty-handed when it is destroyed before it began, so that nobody waits for ever.
class PostedLoad final : public QueuedLoad {
 public:
  PostedLoad(std::function<void()> run, std::function<void()> abandon)
      : run_(std::move(run)), abandon_(std::move(abandon)) {}
  PostedLoad(const PostedLoad&) = delete;
  PostedLoad& operator=(const PostedLoad&) = delete;
  ~PostedLoad() override {
    if (!begun_) abandon_();
  }
  void run() override {
    if (!begun_.exchange(true)) run_();
  }

 private:
  std::function<void()> run_;
  std::function<void()> abandon_;
  std::atomic<bool> begun_{false};
};

}  // namespace

bool LoadRunner::run_load_async(const Batch& batch, const LoadSpec& spec, std::function<void()> run) {
  context_.probes.at(Probes::Point::before_queue, batch.flights.front()->name);
  const std::shared_ptr<void> owner = owner_.lock();
  auto queued = std::make_shared<PostedLoad>(
      [this, owner, flights = batch.flights, about = &spec, run = std::move(run)] {
        run();
        const auto failed = [](const auto& flight) { return flight->error != nullptr; };
        if (std::ranges::any_of(flights, failed)) {
          context_.log(LogLevel::info, fmt::format("a background load under prefix '{}' failed", about->prefix()));
        }
      },
      [this, owner, flights = batch.flights] {
        for (const auto& flight : flights) abandon(*flight);
      });
  for (const auto& flight : batch.flights) {
    const MutexLock lock(flight->mutex);
    flight->queued = queued;
    flight->landing.notify_all();  // for those who would run it themselves
  }
  Duration longest = longest_load_.load();
  while (longest < spec.terms->load_timeout &&
         !longest_load_.compare_exchange_weak(longest, spec.terms->load_timeout)) {
  }
  if (context_.background->post([queued] { queued->run(); })) return true;
  context_.log(LogLevel::info,
               fmt::format("the executor is full: a load under prefix '{}' was not started", spec.prefix()));
  return false;
}

bool LoadRunner::run_load_async(const std::shared_ptr<Flight>& flight, const std::shared_ptr<Loader>& loader,
                                LoadUrgency urgency) noexcept {
  try {
    return run_load_async(Batch{{0}, {flight}}, *loader,
                          [this, flight, loader, urgency] { run_load(flight, *loader, urgency); });
  } catch (...) {  // no memory
    fail(*flight, std::current_exception());
    return false;
  }
}

bool LoadRunner::run_load_async(const Batch& batch, const std::shared_ptr<BatchLoader>& loader,
                                LoadUrgency urgency) noexcept {
  try {
    return run_load_async(batch, *loader, [this, batch, loader, urgency] { run_load(batch, *loader, urgency); });
  } catch (...) {  // no memory
    for (const auto& flight : batch.flights) fail(*flight, std::current_exception());
    return false;
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
