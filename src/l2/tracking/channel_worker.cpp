#include "l2/tracking/channel_worker.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/saturating_add.hpp"
#include "l2/client/connection.hpp"
#include "l2/client/handshake.hpp"
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

namespace {

/// Null: there is none to be had.
std::shared_ptr<Connection> connect_probe(const LinkOptions& link, const Address& server, TimePoint deadline) {
  std::string error, run;
  std::string_view refusal;
  auto stream = connect_stream(link, server, deadline, error);
  if (!stream) return nullptr;
  auto made = std::make_shared<Connection>(std::move(stream), link.limits);
  return run_handshake(*made, link, deadline, error, refusal, run) ? made : nullptr;
}

/// Nothing: it could not be asked.
std::optional<Answer> ask_probe(ChannelJob& job, const LinkOptions& link, const Address& server, const Request& request,
                                Duration patience) {
  constexpr int kConnecting = 4;  // the part of the time that it may take
  for (;;) {
    const TimePoint now = std::chrono::steady_clock::now();
    const bool fresh = !job.probe_connection || !job.probe_connection->usable();
    if (fresh) job.probe_connection = connect_probe(link, server, saturating_add(now, patience / kConnecting));
    if (!job.probe_connection) return std::nullopt;
    PendingRequest pending(request.commands());
    job.probe_connection->run(pending, request.bytes(), saturating_add(now, patience));
    if (pending.fault == Fault::none) return Answer();
    job.probe_connection = nullptr;
    const bool was_idle = pending.fault == Fault::lost && !fresh;  // the server may end such a connection
    if (!was_idle) return Answer{.fault = pending.fault, .maybe_executed = pending.sent};
  }
}

}  // namespace

bool ChannelWorker::start_probe(const LinkOptions& link, const Address& server, Request first, Request request,
                                Duration patience) {
  return run([job = job_, link, server, before = std::move(first), asked = std::move(request), patience] {
    const auto answer = ask_probe(*job, link, server, before, patience);
    const TimePoint deadline = saturating_add(std::chrono::steady_clock::now(), patience);
    job->answer = answer && !*answer ? *answer : run_on(*job->connection, asked, deadline);
  });
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
