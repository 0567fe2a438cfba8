#include "l2/tracking/invalidation_feed.hpp"

#include <algorithm>

#include "l2/tracking/tracking_registration.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

InvalidationFeed::Received InvalidationFeed::receive() {
  Received received;
  messages_.clear();
  globs_.clear();
  received.open = subscriber_->receive(messages_, more_);
  for (const Reply& message : messages_) received.pong = handle(message) || received.pong;
  report_kept_globs();
  messages_.clear();
  return received;
}

/// True: the heartbeat took a pong.
bool InvalidationFeed::handle(const Reply& message) {
  if (message.is(Reply::Kind::error)) return heartbeat_.take_refusal();  // nothing but PING is asked here
  const auto& parts = message.elements;
  if (parts.size() == 2 && parts[0].text == "pong") return heartbeat_.take_pong(parts[1].text);
  if (parts.size() != 3 || parts[0].text != "message") return false;
  if (parts[1].text == kInvalidations) {
    // Text is what a stranger has published there.
    if (parts[2].is(Reply::Kind::nil)) listener_.on_flush();
    if (parts[2].is(Reply::Kind::array)) report_keys(parts[2]);
  } else if (parts[1].text == announcements_ || parts[1].text == probes_) {
    if (const auto announcement = read_announcement(parts[2].text)) report(*announcement);
  }
  return false;
}

void InvalidationFeed::report_keys(const Reply& message) {
  keys_.clear();
  for (const Reply& key : message.elements) {
    if (!key.text.starts_with(self_test_.prefix)) {
      keys_.push_back(key.text);
    } else if (key.text == self_test_.probe) {
      self_test_.reported = true;
    }
  }
  report_kept_keys();
}

void InvalidationFeed::report_kept_keys() {
  if (!keys_.empty()) listener_.on_keys(keys_);
  keys_.clear();
}

void InvalidationFeed::report_kept_globs() {
  std::ranges::sort(globs_);
  globs_.erase(std::unique(globs_.begin(), globs_.end()), globs_.end());
  if (!globs_.empty()) listener_.on_globs(globs_);
  globs_.clear();
}

void InvalidationFeed::report(const Announcement& announcement) {
  if (announcement.unknown) return listener_.on_unknown();
  const bool own = announcement.sender == process_;
  keys_.clear();
  for (const auto& [kind, text] : announcement.items) {
    if (kind == Announcement::Kind::probe) {
      if (own && text == self_test_.probe) self_test_.reported = true;
    } else if (own) {
      continue;
    } else if (kind == Announcement::Kind::key) {
      keys_.push_back(text);
    } else {
      globs_.push_back(text);
    }
  }
  report_kept_keys();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
