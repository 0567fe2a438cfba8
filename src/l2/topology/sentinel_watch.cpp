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

/// Until a sentinel is connected to again: at random, so that a fleet does not come as one.
Duration pause() {
  constexpr std::uint64_t kLeastPause = 500, kSpread = 1000;
  return std::chrono::milliseconds(kLeastPause + random_word() % kSpread);
}

}  // namespace

std::optional<HostPort> announced_master(std::string_view message, std::string_view master) {
  std::array<std::string_view, 5> words;
  for (std::string_view& word : words) {
    word = message.substr(0, message.find(' '));
    message.remove_prefix(std::min(message.size(), word.size() + 1));
  }
  if (words[0] != master || !message.empty()) return std::nullopt;
  HostPort place;
  if (!read_host_port(words[3], words[4], place)) return std::nullopt;
  return place;
}

SentinelWatch::SentinelWatch(std::shared_ptr<MasterFinder> finder, Options options)
    : finder_(std::move(finder)), options_(std::move(options)), ears_(finder_->count()) {}

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
  watch_->wake.ring();
  worker_.end();
  std::thread ended;
  {
    const MutexLock lock(mutex_);
    ended.swap(thread_);
  }
  if (ended.joinable()) ended.join();
  worker_.join();
}

// --- the thread

void SentinelWatch::run() noexcept {
  constexpr std::chrono::milliseconds kPauseWithoutMemory{10};
  while (!stopping_) {
    try {
      step();
    } catch (const std::exception&) {  // no memory: what could not be received is as good as lost
      for (Ear& ear : ears_) ear.subscriber.reset();
      std::this_thread::sleep_for(kPauseWithoutMemory);
    }
  }
}

void SentinelWatch::step() {
  watch_->wake.clear();
  finish_job();
  more_ = false;
  for (std::size_t i = 0; i < ears_.size(); ++i) {
    if (ears_[i].subscriber) ping(i);
    if (ears_[i].subscriber) listen(i);
  }
  start_job();
  if (!more_ && !stopping_) wait();
}

void SentinelWatch::start_job() {
  if (job_) return;
  const TimePoint now = Clock::now();
  for (std::size_t n = 0; n < ears_.size(); ++n) {
    const std::size_t sentinel = (finder_->first() + n) % ears_.size();
    Ear& ear = ears_[sentinel];
    if (ear.subscriber || now < ear.retry) continue;
    ear.retry = now + pause();
    auto job = std::make_shared<Job>();
    job->sentinel = sentinel;
    if (worker_.run([this, job] { run_job(*job); })) {
      job_ = std::move(job);
    } else {
      lost(sentinel, job->error);
    }
    return;
  }
}

/// On the worker's thread.
void SentinelWatch::run_job(Job& job) const {
  const LinkOptions link = finder_->link_to(job.sentinel);
  Subscriber::Failure failure;
  job.subscriber = Subscriber::open(link, link.address, {.channels = {std::string(kAnnouncements)}},
                                    saturating_add(Clock::now(), link.connect_timeout), failure);
  if (!job.subscriber) {
    job.error = std::move(failure.why);
    return;
  }
  // After it: what is not in the answer will be announced.
  const TimePoint deadline = saturating_add(Clock::now(), link.connect_timeout);
  const auto named = finder_->ask(job.sentinel, deadline).master;
  // What is current now may be known to be wrong when this thread is done: it is no news.
  if (!named || options_.is_current(finder_->reachable(*named))) return;
  // It may know more than was heard, or less.
  job.master = finder_->named_by_most(deadline);
  job.outvoted = job.master != named;
}

void SentinelWatch::finish_job() {
  if (!job_ || !worker_.idle()) return;
  const auto job = std::exchange(job_, nullptr);
  Ear& ear = ears_[job->sentinel];
  ear.retry = Clock::now() + pause();
  if (!job->subscriber) return lost(job->sentinel, job->error);
  ear.subscriber = std::move(job->subscriber);
  ear.heartbeat.emplace(options_.ping_period);
  ear.heartbeat->channel_opened(Clock::now());
  if (std::exchange(ear.lost, false)) {
    options_.log.write(LogLevel::info, fmt::format("listening to sentinel {}", finder_->name_of(job->sentinel)));
  }
  if (!job->master) return;
  if (!job->outvoted) finder_->ask_first(job->sentinel);
  options_.announced(finder_->reachable(*job->master));
}

void SentinelWatch::ping(std::size_t sentinel) {
  Ear& ear = ears_[sentinel];
  const TimePoint now = Clock::now();
  if (now < ear.heartbeat->next_ping()) return;
  if (ear.heartbeat->awaits_pong()) return lost(sentinel, "no answer in time");
  ear.subscriber->send(Request{"PING", ear.heartbeat->begin_ping(now)}.bytes());
}

void SentinelWatch::listen(std::size_t sentinel) {
  Ear& ear = ears_[sentinel];
  std::vector<Reply> messages;
  bool more = false;
  const bool open = ear.subscriber->receive(messages, more);
  more_ = more_ || (open && more);
  for (const Reply& message : messages) take(sentinel, message);
  if (!open) lost(sentinel, std::string(ear.subscriber->why()));
}

void SentinelWatch::take(std::size_t sentinel, const Reply& message) {
  Heartbeat& heartbeat = *ears_[sentinel].heartbeat;
  if (message.is(Reply::Kind::error)) heartbeat.take_refusal();
  const auto& parts = message.elements;
  if (parts.size() == 2 && parts[0].text == "pong") heartbeat.take_pong(parts[1].text);
  if (parts.size() != 3 || parts[0].text != "message") return;
  const auto place = announced_master(parts[2].text, finder_->master());
  if (!place) return;
  finder_->ask_first(sentinel);  // others may not have heard of it
  options_.announced(finder_->reachable(*place));
}

/// Logged once until it is listened to again.
void SentinelWatch::lost(std::size_t sentinel, std::string_view why) {
  Ear& ear = ears_[sentinel];
  ear.subscriber.reset();
  if (stopping_ || std::exchange(ear.lost, true)) return;
  options_.log.write(LogLevel::warning,
                     fmt::format("sentinel {} cannot be listened to ({}): it is tried again, and the others are "
                                 "listened to",
                                 finder_->name_of(sentinel), why));
}

void SentinelWatch::wait() {
  TimePoint next = saturating_add(Clock::now(), options_.ping_period);
  std::vector<pollfd> wanted{{.fd = watch_->wake.descriptor(), .events = POLLIN, .revents = 0}};
  for (const Ear& ear : ears_) {
    if (ear.subscriber) {
      next = std::min(next, ear.heartbeat->next_ping());
      wanted.push_back({.fd = ear.subscriber->descriptor(), .events = ear.subscriber->events(), .revents = 0});
    } else if (!job_) {
      next = std::min(next, ear.retry);
    }
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
  ::poll(wanted.data(), wanted.size(), static_cast<int>(std::max<std::int64_t>(0, left.count())));
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
