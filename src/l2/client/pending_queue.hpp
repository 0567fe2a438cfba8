#pragma once
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <vector>

#include <dsta/cache/duration.hpp>

#include "l2/client/pending_request.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The requests of one connection whose replies have not all come, in the order of their bytes on the wire, which is
/// the order of the replies: this is where a reply is matched to its caller. See Connection. One thread at a time.
class PendingQueue {
 public:
  /// How long callers may abandon requests while no request that a caller waits for is completed.
  static constexpr std::chrono::seconds kMostOverdue{2};

  void push(PendingRequest& request) {
    places_.push_back({&request});
    ++unsent_;
  }
  bool empty() const { return places_.empty(); }
  bool is_one() const { return places_.size() == 1; }
  /// How many at the end have bytes that no writer has taken yet.
  std::size_t unsent() const { return unsent_; }
  std::size_t in_flight() const { return places_.size() - unsent_; }
  /// A writer has taken the bytes of all of them.
  void mark_sent();

  /// The first whose caller still waits, and is here; null: none.
  PendingRequest* first() const { return first_from(0, nullptr); }
  /// The first unsent one whose caller still waits, and is here, other than `except`; null: none.
  PendingRequest* first_unsent(const PendingRequest* except = nullptr) const {
    return unsent_ == 0 ? nullptr : first_from(in_flight(), except);
  }

  struct Delivered {
    PendingRequest* completed = nullptr;  ///< have all their replies and left the queue; linked by `next`
    std::size_t count = 0;
    bool too_many = false;  ///< a reply came that no request in flight waits for
  };
  /// Gives the replies to the requests in flight, the first ones first, and empties `replies`.
  Delivered deliver(std::vector<Reply>& replies);

  /// Too long ago a caller abandoned its request, and none was completed since; else notes that one is about to.
  bool is_stuck(TimePoint now);
  /// Its caller leaves: the place stays, and the replies that are still owed to it are dropped when they come.
  void abandon(const PendingRequest& request);
  /// Replies are owed to callers that have left.
  bool has_abandoned() const {
    return std::ranges::any_of(places_, [](const Place& place) { return place.request == nullptr; });
  }
  /// Completes all of them with Fault::lost, and `whose` with `fault`.
  void fail_all(Fault fault, const PendingRequest* whose);

 private:
  struct Place {
    PendingRequest* request;  ///< null: abandoned
    std::size_t owed = 0;     ///< replies that are dropped then
  };

  PendingRequest* first_from(std::size_t at, const PendingRequest* except) const;
  void drop_reply();

  std::deque<Place> places_;
  std::size_t unsent_ = 0;
  TimePoint overdue_since_ = TimePoint::max();
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
