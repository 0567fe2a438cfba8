#include "l2/client/pending_queue.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void PendingQueue::mark_sent() {
  for (std::size_t i = in_flight(); i < places_.size(); ++i) {
    if (places_[i].request) places_[i].request->sent = true;
  }
  unsent_ = 0;
}

PendingRequest* PendingQueue::first_from(std::size_t at, const PendingRequest* except) const {
  for (; at < places_.size(); ++at) {
    PendingRequest* const request = places_[at].request;
    if (request && request != except && !request->away) return request;
  }
  return nullptr;
}

PendingQueue::Delivered PendingQueue::deliver(std::vector<Reply>& replies) {
  Delivered delivered;
  PendingRequest** end = &delivered.completed;
  for (Reply& reply : replies) {
    if (in_flight() == 0) {
      delivered.too_many = true;
      break;
    }
    PendingRequest* const first = places_.front().request;
    if (!first) {
      drop_reply();
      continue;
    }
    first->replies.push_back(std::move(reply));
    if (!first->answered()) continue;
    places_.pop_front();
    overdue_since_ = TimePoint::max();
    *end = first;
    end = &first->next;
    ++delivered.count;
  }
  replies.clear();
  return delivered;
}

void PendingQueue::drop_reply() {
  assert(places_.front().owed != 0);
  if (--places_.front().owed == 0) places_.pop_front();
  const auto has_caller = [](const Place& place) { return place.request != nullptr; };
  if (std::ranges::all_of(places_, has_caller)) overdue_since_ = TimePoint::max();
}

bool PendingQueue::is_stuck(TimePoint now) {
  if (overdue_since_ == TimePoint::max()) overdue_since_ = now;
  return now - overdue_since_ > kMostOverdue;
}

void PendingQueue::abandon(const PendingRequest& request) {
  const auto place = std::ranges::find(places_, &request, &Place::request);
  assert(place != places_.end());
  *place = {nullptr, request.expected - request.replies.size()};
}

void PendingQueue::fail_all(Fault fault, const PendingRequest* whose) {
  unsent_ = 0;
  PendingRequest* failed = nullptr;
  PendingRequest** end = &failed;
  for (const Place& place : places_) {
    if (!place.request) continue;
    place.request->fault = place.request == whose ? fault : Fault::lost;
    *end = place.request;
    end = &place.request->next;
  }
  *end = nullptr;
  places_.clear();
  PendingRequest::complete_all(failed);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
