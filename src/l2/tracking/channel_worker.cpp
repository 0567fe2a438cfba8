#include "l2/tracking/channel_worker.hpp"

#include <utility>

#include "l2/tracking/tracking_registration.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

bool ChannelWorker::start_connect(const LinkOptions& link, const Address& server, Subscriber::Wanted wanted,
                                  TimePoint deadline) {
  return run([job = job_, link, server, channels = std::move(wanted), deadline] {
    job->subscriber = Subscriber::open(link, server, channels, deadline, job->failure);
  });
}

bool ChannelWorker::start_request(Request request, TimePoint deadline) {
  return run(
      [job = job_, asked = std::move(request), deadline] { job->answer = run_on(*job->connection, asked, deadline); });
}

bool ChannelWorker::run(std::function<void()> work) {
  if (worker_.run(std::move(work))) return true;
  job_ = nullptr;
  return false;
}

std::shared_ptr<ChannelJob> ChannelWorker::take_ended() {
  return job_ && worker_.idle() ? std::exchange(job_, nullptr) : nullptr;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
