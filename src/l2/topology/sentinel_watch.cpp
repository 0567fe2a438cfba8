#include "l2/topology/sentinel_watch.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <iterator>
#include <vector>

#include "base/random_word.hpp"
#include "base/saturating_add.hpp"
#include "base/thread.hpp"
#include "l2/tracking/heartbeat.hpp"
#include "l2/tracking/subscriber.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kAnnouncements = "+switch-master";

}  // namespace

std::optional<HostPort> announced_master(std::string_view message, std::string_view master) {
  std::array<std::string_view, 5> words;
  for (std::string_view& word : words) {
    word = message.substr(0, message.find(' '));
    message.remove_prefix(std::min(message.size(), word.size() + 1));
  }
  if (words[0] != master || !message.empty()) return std::nullopt;
  const bool v6 = words[3].find(':') != words[3].npos;
  HostPort place;
  if (!read_host_port(v6 ? fmt::format("[{}]:{}", words[3], words[4]) : fmt::format("{}:{}", words[3], words[4]),
                      place)) {
    return std::nullopt;
  }
  return place;
}

void SentinelWatch::try_to_start() noexcept {
  constexpr std::chrono::milliseconds kPause{500};
  if (!mutex_.try_lock()) return;
  const TimePoint now = Clock::now();
  if (!thread_.joinable() && !stopping_ && now >= next_try_) {
    next_try_ = now + kPause;
    thread_ = start_thread("dsta-sentinel", [this] { run(); });
    started_.store(thread_.joinable(), std::memory_order_release);
  }
  mutex_.unlock();
}

void SentinelWatch::stop() noexcept {
  stopping_ = true;
  stop_wake_.ring();
  std::thread ended;
  {
    const MutexLock lock(mutex_);
    ended.swap(thread_);
  }
  if (ended.joinable()) ended.join();
}

void SentinelWatch::run() noexcept {
  const Interruptible at_the_end(stop_wake_.descriptor());
  constexpr std::chrono::seconds kShort{1};
  std::size_t sentinel = finder_->first(), failed = 0;
  while (!stopping_) {
    bool began = false;
    const TimePoint at = Clock::now();
    try {
      began = listen_to(sentinel);
    } catch (const std::exception&) {  // no memory, or no descriptor: as good as lost
    }
    failed = began ? 0 : failed + 1;
    sentinel = (sentinel + 1) % finder_->count();
    const bool went_at_once = began && Clock::now() - at < kShort;
    if (went_at_once || (failed != 0 && failed % finder_->count() == 0)) pause();
  }
}

void SentinelWatch::pause() {
  static constexpr int kLeast = 100, kMost = 900;  // milliseconds; at random, so that a fleet does not come as one
  const auto drawn = static_cast<int>(random_word() % (kMost - kLeast));
  if (!stopping_) wait_ready(stop_wake_.descriptor(), false, Clock::now() + std::chrono::milliseconds(kLeast + drawn));
}

bool SentinelWatch::listen_to(std::size_t sentinel) {
  const LinkOptions link = finder_->link_to(sentinel);
  const std::string name = finder_->name_of(sentinel);
  std::string error;
  bool refused = false;
  auto subscriber = Subscriber::open(link, link.address, kAnnouncements,
                                     saturating_add(Clock::now(), link.connect_timeout), error, refused);
  if (!subscriber) {
    lost(name, error);
    return false;
  }
  if (lost_) options_.log.write(LogLevel::info, fmt::format("listening to sentinel {}", name));
  lost_ = false;
  // What was announced before, to nobody here.
  tell_master(saturating_add(Clock::now(), link.connect_timeout));
  Heartbeat heartbeat(options_.ping_period);
  heartbeat.channel_opened(Clock::now());
  bool more = false;
  while (!stopping_) {
    const TimePoint now = Clock::now();
    if (now >= heartbeat.next_ping()) {
      if (heartbeat.awaits_pong()) break;
      subscriber->send(Request{"PING", heartbeat.begin_ping(now)}.bytes());
    }
    std::vector<Reply> messages;
    const bool open = subscriber->receive(messages, more);
    for (const Reply& message : messages) {
      if (message.is(Reply::Kind::error)) heartbeat.take_refusal();
      if (message.elements.size() == 2 && message.elements[0].text == "pong") {
        heartbeat.take_pong(message.elements[1].text);
      }
      take(message);
    }
    if (!open) {
      lost(name, subscriber->why());
      return true;
    }
    if (more) continue;
    pollfd wanted[] = {
        {.fd = stop_wake_.descriptor(), .events = POLLIN, .revents = 0},
        {.fd = subscriber->descriptor(), .events = subscriber->events(), .revents = 0},
    };
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(heartbeat.next_ping() - Clock::now());
    ::poll(wanted, std::size(wanted), static_cast<int>(std::max<std::int64_t>(0, left.count())));
  }
  if (!stopping_) lost(name, "no answer in time");
  return true;
}

void SentinelWatch::tell_master(TimePoint deadline) {
  std::string error;
  if (const auto address = finder_->find(deadline, error)) options_.announced(*address);
}

void SentinelWatch::take(const Reply& message) {
  if (message.elements.size() != 3 || message.elements[0].text != "message") return;
  if (const auto place = announced_master(message.elements[2].text, finder_->master())) {
    options_.announced(finder_->reachable(*place));
  }
}

/// Once until one is listened to again: the others may know as much.
void SentinelWatch::lost(std::string_view sentinel, std::string_view why) {
  if (lost_ || stopping_) return;
  lost_ = true;
  options_.log.write(LogLevel::warning,
                     fmt::format("sentinel {} cannot be listened to ({}): the next one is tried; until then a failover "
                                 "is noticed by its effects",
                                 sentinel, why));
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
