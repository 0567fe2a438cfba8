/// Requests of a caller that waits at several connections in turn.
#include <chrono>
#include <new>

#include "l2/client/connection.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Status = PendingRequest::Status;

/// The reader is about to complete the request, and must find it where it is.
void await_end(PendingRequest& request) {
  while (request.await(TimePoint::max()) != Status::complete) request.note_role();
}

}  // namespace

void Connection::start(PendingRequest& request, Bytes bytes, TimePoint deadline) {
  const MutexLock lock(mutex_);
  request.fault = Fault::lost;  // unless it gets into the queue
  if (pending_.empty() && !reader_ && usable()) check_idle();
  if (!usable()) return;
  try {
    request.fault = Fault::none;
    request.moved_before = moved();
    request.away = true;
    enqueue(request, bytes, deadline);
    if (!request.sent && !writing_ && usable()) write_for_all(request, deadline);
  } catch (const std::bad_alloc&) {
    end(Fault::lost, &request, "there was no memory for it");
    if (request.status() != Status::complete) request.word = nullptr;
    request.fault = Fault::lost;
  }
}

bool Connection::wait(PendingRequest& request, TimePoint until, TimePoint deadline) {
  if (!request.word || request.status() == Status::complete) return true;
  MutexLock lock(mutex_);
  request.away = false;
  try {
    return wait_here(request, until, deadline);
  } catch (const std::bad_alloc&) {
    end(Fault::lost, &request, "there was no memory for it");
    if (reader_ == &request) reader_ = nullptr;
    if (request.answered()) {
      lock.unlock();
      await_end(request);
      return true;
    }
    request.fault = Fault::lost;
    return true;
  }
}

bool Connection::wait_here(PendingRequest& request, TimePoint until, TimePoint deadline) {
  const bool returns = until < deadline;
  while (request.status() != Status::complete) {
    // Whoever was writing when it came may have left it to others.
    if (!request.sent && !writing_ && usable()) write_for_all(request, deadline);
    if (!reader_) {
      reader_ = &request;
      request.note_role();
      read_for_all(request, until, deadline, request.moved_before);
      reader_ = nullptr;
      if (request.status() == Status::complete || request.fault != Fault::none) {
        pass_roles_on(false);
        return true;
      }
    } else {
      request.note_role();
      Status seen = Status::waiting;
      {
        const MutexUnlock unlocked(mutex_);
        seen = request.await(until);
      }
      if (seen != Status::waiting || request.status() == Status::complete) continue;
      if (request.answered()) {
        const MutexUnlock unlocked(mutex_);
        await_end(request);
        return true;
      }
    }
    if (returns) {
      request.away = true;
      pass_roles_on(true);
      return false;
    }
    if (abandon(request, request.moved_before)) return true;
    end(Fault::timeout, &request, "a reply did not come in time");
  }
  return true;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
