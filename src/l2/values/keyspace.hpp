#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "entry/dependency.hpp"
#include "l2/topology/hash_slot.hpp"
#include "l2/tracking/announcement.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The names of keys at the server. Entries have the space before their joined key; the library's own keys have the
/// byte 0x01 and a letter after the space. (A user's key that begins with the byte 0x01 is stored with two of them.)
///
/// In a cluster entries have the same names. The library's own keys have a hash tag there: those of the namespace that
/// of the space, so that they share one slot, and those beside an entry one that makes their slot the entry's.
class KeySpace {
 public:
  explicit KeySpace(std::string_view space, bool clustered = false)
      : head_(std::string(space) + ":"),
        clustered_(clustered),
        tag_(clustered ? "{" + std::string(space) + "}" : std::string()),
        epoch_(std::string(kEpoch) + tag_),
        version_(std::string(kVersion) + tag_),
        notice_(std::string(kNotice) + tag_),
        listener_(std::string(kListenerName) + tag_) {}
  bool clustered() const { return clustered_; }

  /// What all keys of the namespace begin with.
  const std::string& head() const { return head_; }

  std::string entry(std::string_view name) const { return join(escape(name), name); }
  /// The same in `key`, whose memory is used again: for many, one after the other.
  std::string_view entry(std::string_view name, std::string& key) const {
    return key.assign(head_).append(escape(name)).append(name);
  }
  /// A glob over joined keys as one over the server's, which matches the keys of all entries that `pattern` matches,
  /// and of their raw leases, and may match others: what it finds is to be compared once more. The space has no glob
  /// characters.
  std::string glob(std::string_view pattern) const { return join("*", pattern) + '*'; }
  /// The version that everything in the namespace depends on.
  std::string epoch() const { return join(epoch_, {}); }
  /// `dependency` is a tag, or a wrapped function by function_dependency.
  std::string version(std::string_view dependency) const { return join(version_, dependency); }
  /// By which all raises of versions in the namespace are ordered, whatever the server's time does.
  std::string clock() const { return join(kClock, tag_); }
  /// What a version that is kept for ever is made from again when the server has evicted it. On the same slot.
  std::string copy(std::string_view version_key) const {
    return clustered_ ? join(kCopy, tag_.substr(1)).append(version_key) : beside(kCopy, version_key);
  }
  /// Of the load of a raw value, beside its entry since other programs read that. On the same slot.
  std::string raw_lease(std::string_view name) const {
    const std::string key = entry(name);
    // Where the key has braces it cannot be the tag itself.
    if (!clustered_ || key.find_first_of("{}") == key.npos) return beside(kRawLease, key);
    return beside(kRawLease, tag_beside(key)).append(key);
  }
  /// Stands while loads of raw values are not long past: removing by pattern then takes a second look.
  std::string raw_marker() const { return join(kRawMarker, tag_); }
  /// Stands while somebody listens to announcements.
  std::string listener() const { return join(listener_, {}); }
  /// A large value on its way, until it takes its key's place. On the same slot.
  std::string upload(std::string_view token, std::string_view key) const {
    return (clustered_ ? beside(kUpload, tag_beside(key)) : beside(kUpload, key)).append(token);
  }
  /// Counts the refreshes that were asked for.
  std::string order(std::string_view name) const { return join(kOrder, tag_of_entry(name)).append(name); }
  /// Never there: its removal shows whether the server takes writes.
  std::string probe() const { return join(kProbe, tag_); }
  /// The same on a slot of a cluster.
  std::string probe(Slot slot) const { return join(kProbe, "{" + tag_of(slot) + "}"); }
  /// In a cluster: the slot of the namespace's own keys.
  Slot home() const { return slot_of(epoch()); }
  /// The lease of the load that refreshes the value that has this checksum. So one that a failed refresh leaves
  /// concerns no later value.
  std::string refresh_lease(std::string_view name, std::uint64_t checksum) const {
    return join(kLease, tag_of_entry(name)).append(fmt::format("{:016x}:{}", checksum, name));
  }

  /// Written when a version was raised, for processes with an invalidation channel: a version's own key changes for
  /// other reasons, too. `token` has no colon.
  std::string notice(std::string_view token, std::string_view dependency) const {
    return join(notice_, token).append(":").append(dependency);
  }

  enum class Kind { foreign, entry, epoch, version, notice, raw_lease, listener, own };
  struct Named {
    Kind kind;
    std::string_view name;        ///< of the entry, or of the dependency
    std::string_view token = {};  ///< of a notice
  };
  Named parse(std::string_view redis_key) const {
    if (!redis_key.starts_with(head_)) return {Kind::foreign, {}};
    const std::string_view rest = redis_key.substr(head_.size());
    if (!rest.starts_with('\x01')) return {Kind::entry, rest};
    if (rest.substr(1).starts_with('\x01')) return {Kind::entry, rest.substr(1)};
    if (rest == epoch_) return {Kind::epoch, {}};
    if (rest == listener_) return {Kind::listener, {}};
    if (rest.starts_with(kRawLease)) {
      const Named of = parse(entry_of_lease(rest.substr(kRawLease.size())));
      if (of.kind == Kind::entry) return {Kind::raw_lease, of.name};
    }
    if (rest.starts_with(version_)) return {Kind::version, rest.substr(version_.size())};
    if (rest.starts_with(notice_)) {
      const std::string_view notice = rest.substr(notice_.size());
      const std::size_t colon = notice.find(':');
      if (colon != std::string_view::npos) return {Kind::notice, notice.substr(colon + 1), notice.substr(0, colon)};
    }
    return {Kind::own, {}};
  }

 private:
  static constexpr std::string_view kEpoch =
                                        "\x01"
                                        "epoch",
                                    kVersion =
                                        "\x01"
                                        "v:",
                                    kLease =
                                        "\x01"
                                        "lease:",
                                    kClock =
                                        "\x01"
                                        "clock",
                                    kCopy =
                                        "\x01"
                                        "copy:{",
                                    kRawLease =
                                        "\x01"
                                        "raw:{",
                                    kRawMarker =
                                        "\x01"
                                        "raw",
                                    kProbe =
                                        "\x01"
                                        "probe",
                                    kOrder =
                                        "\x01"
                                        "order:",
                                    kUpload =
                                        "\x01"
                                        "up:{",
                                    kNotice =
                                        "\x01"
                                        "n:";

  std::string beside(std::string_view mark, std::string_view key) const { return join(mark, key) + '}'; }
  std::string tag_of_entry(std::string_view name) const {
    return clustered_ ? "{" + tag_beside(entry(name)) + "}" : std::string();
  }
  /// `text`: what is behind the mark of a raw lease.
  std::string_view entry_of_lease(std::string_view text) const {
    const std::size_t close = clustered_ ? text.find('}') : text.empty() ? text.npos : text.size() - 1;
    if (close == text.npos || text[close] != '}') return {};
    return close + 1 == text.size() ? text.substr(0, close) : text.substr(close + 1);
  }
  static std::string_view escape(std::string_view name) { return name.starts_with('\x01') ? "\x01" : ""; }
  std::string join(std::string_view mark, std::string_view name) const {
    std::string key;
    key.reserve(head_.size() + mark.size() + name.size());
    return key.append(head_).append(mark).append(name);
  }

  std::string head_;
  bool clustered_;
  std::string tag_;  ///< in a cluster `{space}`
  std::string epoch_, version_, notice_, listener_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
