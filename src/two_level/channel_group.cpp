#include "two_level/channel_group.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// One channel, and what it said last.
class ChannelGroup::Member final : public ChannelReports {
 public:
  Member(ChannelGroup& group, std::shared_ptr<Link> link, ChannelOptions options)
      : group_(group), link_(std::move(link)), channel_(*this, *link_, std::move(options)) {}

  Link* link() const { return link_.get(); }
  InvalidationChannel& channel() { return channel_; }
  const InvalidationChannel& channel() const { return channel_; }

  // Under the group's mutex.
  bool is_up = false;
  TimePoint known_good{};
  CoherenceMode mode = CoherenceMode::automatic;

 private:
  void on_keys(std::span<const std::string_view> keys) override { group_.reports_.on_keys(keys); }
  void on_flush() override { group_.reports_.on_flush(); }
  void on_globs(std::span<const std::string_view> globs) override { group_.reports_.on_globs(globs); }
  void on_unknown() override { group_.reports_.on_unknown(); }
  void before_up(CoherenceMode offered) override {
    const MutexLock lock(group_.mutex_);
    mode = offered;
    group_.reports_.before_up(group_.least_mode());
  }
  void on_up(TimePoint then) override {
    const MutexLock lock(group_.mutex_);
    is_up = true;
    known_good = then;
    group_.look();
  }
  void on_proof(TimePoint then) override {
    const MutexLock lock(group_.mutex_);
    known_good = then;
    if (group_.up_) group_.reports_.on_proof(group_.known_good());
  }
  void on_down(std::string_view why, TimePoint last_known_good) override {
    const MutexLock lock(group_.mutex_);
    is_up = false;
    known_good = last_known_good;
    group_.go_down(why);
  }
  void no_channel(std::string_view why) noexcept override { group_.reports_.no_channel(why); }

  ChannelGroup& group_;
  const std::shared_ptr<Link> link_;
  InvalidationChannel channel_;  ///< last: it calls
};

ChannelGroup::ChannelGroup(ChannelReports& reports, Cluster& cluster, const KeySpace& keys, ChannelOptions options)
    : reports_(reports), cluster_(cluster), keys_(keys), options_(std::move(options)) {}

ChannelGroup::~ChannelGroup() {
  stop();
  join();
}

std::shared_ptr<ChannelGroup::Member> ChannelGroup::make_member(const ClusterNode& node) {
  ChannelOptions options = options_;
  options.probe_tag = [this, link = node.link.get()]() -> std::string {
    const auto map = cluster_.map();
    for (std::size_t slot = 0; map && slot < kSlots; ++slot) {
      const ClusterNode* const owner = map->of(static_cast<Slot>(slot));
      if (owner && owner->link.get() == link) return "{" + tag_of(static_cast<Slot>(slot)) + "}";
    }
    return {};
  };
  options.listener = [this, link = node.link.get()] {
    return cluster_.home().get() == link ? keys_.listener() : std::string();
  };
  return std::make_shared<Member>(*this, node.link, std::move(options));
}

void ChannelGroup::follow_map() {
  Members gone;  // ended without the mutex, which their threads may wait for
  {
    const MutexLock lock(mutex_);
    const auto map = cluster_.map();
    if (!map || stopped_) return;
    const auto is_master = [&](const std::shared_ptr<Member>& member) {
      return std::ranges::any_of(map->nodes,
                                 [&](const ClusterNode& node) { return node.link.get() == member->link(); });
    };
    const auto rest = std::partition(members_.begin(), members_.end(), is_master);
    gone.assign(rest, members_.end());
    members_.erase(rest, members_.end());
    for (const ClusterNode& node : map->nodes) {
      const auto its = [&](const std::shared_ptr<Member>& member) { return member->link() == node.link.get(); };
      if (std::ranges::none_of(members_, its)) members_.push_back(make_member(node));
    }
    complete_ = map != outdated_ && has_all(*map);
    if (!complete_) go_down("a master of the cluster has no channel yet");
    look();
    // The last look at the map vouches, too.
    if (up_) reports_.on_proof(known_good());
  }
  for (const auto& member : gone) member->channel().stop();
  for (const auto& member : gone) member->channel().join();
  tend();
}

void ChannelGroup::expect(const SlotMap& next) {
  const MutexLock lock(mutex_);
  outdated_ = cluster_.map();
  if (has_all(next)) return;
  complete_ = false;
  go_down("the cluster has another master");
}

bool ChannelGroup::has_all(const SlotMap& map) const {
  for (const ClusterNode& node : map.nodes) {
    bool found = false;
    for (const auto& member : members_) found = found || member->link() == node.link.get();
    if (!found) return false;
  }
  return !map.nodes.empty();
}

TimePoint ChannelGroup::known_good() const {
  TimePoint least = cluster_.confirmed();
  for (const auto& member : members_) least = std::min(least, member->known_good);
  return least;
}

CoherenceMode ChannelGroup::least_mode() const {
  CoherenceMode least = CoherenceMode::tracking;
  for (const auto& member : members_) {
    if (member->mode != CoherenceMode::tracking) least = member->mode;
    if (member->mode == CoherenceMode::announcements) return member->mode;
  }
  return least;
}

void ChannelGroup::look() {
  if (up_ || !complete_ || !std::ranges::all_of(members_, &Member::is_up)) return;
  up_ = was_up_ = true;
  reports_.on_up(known_good());
  changed_.notify_all();
}

void ChannelGroup::go_down(std::string_view why) {
  if (!std::exchange(up_, false)) return;
  reports_.on_down(why, known_good());
}

void ChannelGroup::tend() {
  for (const auto& member : members()) member->channel().tend();
}

void ChannelGroup::stop() noexcept {
  Members all;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    all = members_;
  }
  for (const auto& member : all) member->channel().stop();
}

void ChannelGroup::join() noexcept {
  for (const auto& member : members()) member->channel().join();
}

void ChannelGroup::wait_briefly() {
  constexpr std::chrono::milliseconds kLongestWait{200};
  const TimePoint end = std::chrono::steady_clock::now() + kLongestWait;
  MutexLock lock(mutex_);
  while (!was_up_ && !members_.empty() && changed_.wait_until(lock.native(), end) != std::cv_status::timeout) {
  }
}

bool ChannelGroup::up() const {
  const MutexLock lock(mutex_);
  return up_ && std::ranges::all_of(members_, [](const auto& member) { return member->channel().up(); });
}

CoherenceMode ChannelGroup::mode() const {
  const MutexLock lock(mutex_);
  CoherenceMode least = members_.empty() ? CoherenceMode::automatic : CoherenceMode::tracking;
  for (const auto& member : members_) {
    const CoherenceMode one = member->channel().mode();
    if (one == CoherenceMode::off) return one;
    if (one == CoherenceMode::automatic || least != CoherenceMode::automatic) {
      if (one != CoherenceMode::tracking) least = one;
    }
  }
  return least;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
