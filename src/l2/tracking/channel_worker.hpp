#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <dsta/cache/duration.hpp>

#include "l2/client/link.hpp"
#include "l2/tracking/blocking_worker.hpp"
#include "l2/tracking/subscriber.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What the channel's thread has done by its worker, and what came of it. It may outlive the channel: it owns all that
/// it uses.
struct ChannelJob {
  enum class Kind : std::uint8_t {
    connect,    ///< the channel: log in and subscribe
    self_test,  ///< over the data connection: register and write the probe
    enable,     ///< over it: register for good
    check,      ///< over it: does the registration still stand?
  };
  Kind kind;
  TimePoint begun = std::chrono::steady_clock::now();

  // Of `connect`.
  std::unique_ptr<Subscriber> subscriber = nullptr;  ///< null: see error
  Subscriber::Failure failure = {.why = "there is no thread or no memory for it"};
  std::uint64_t server = 0;  ///< ServerPlace::number of the one that was asked

  // Of the others: requests over the data connection.
  std::int64_t channel_id = 0;
  std::shared_ptr<Connection> connection = nullptr;
  std::uint64_t moved = 0;                                 ///< by the connection before
  std::shared_ptr<Connection> probe_connection = nullptr;  ///< see start_probe; it is handed from one job to the next
  Answer answer = {.fault = Fault::lost, .maybe_executed = true};
};

/// Runs one ChannelJob at a time. For the channel's thread, which never waits for a reply itself.
class ChannelWorker {
 public:
  /// `done` is notified when a job has ended.
  explicit ChannelWorker(std::shared_ptr<LinkWatch> done) : worker_(std::move(done)) {}

  bool busy() const { return job_ != nullptr; }
  bool is(ChannelJob::Kind kind) const { return job_ && job_->kind == kind; }
  /// When the job began. Only when busy.
  TimePoint begun() const { return job_->begun; }

  // Only when not busy. `prepare` makes the job, `start...` runs it: false, there is no thread to be had, and it was
  // dropped. Throws std::bad_alloc; after `prepare` the job then ends as one that failed.
  void prepare(ChannelJob job) { job_ = std::make_shared<ChannelJob>(std::move(job)); }
  bool start_connect(const LinkOptions& link, const Address& server, Subscriber::Wanted wanted, TimePoint deadline);
  bool start_request(Request request, TimePoint deadline);
  /// `first` is asked before, on a connection of its own, and if that brings no answer `request` is not sent: where the
  /// server lets writes wait, all that comes behind it on the data connection would wait, too. (Without a connection of
  /// its own to be had it is sent all the same.) `patience`: of each.
  bool start_probe(const LinkOptions& link, const Address& server, Request first, Request request, Duration patience);

  /// The job that has ended since it was asked last; null: none.
  std::shared_ptr<ChannelJob> take_ended();
  /// See BlockingWorker.
  void end() noexcept { worker_.end(); }
  void join() noexcept { worker_.join(); }

 private:
  bool run(std::function<void()> work);

  BlockingWorker worker_;
  std::shared_ptr<ChannelJob> job_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
