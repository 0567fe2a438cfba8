#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "entry/dependency.hpp"
#include "l2/tracking/announcement.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The names of keys at the server. Entries have the space before their joined key; the library's own keys have the
/// byte 0x01 and a letter after the space. (A user's key that begins with the byte 0x01 is stored with two of them.)
class KeySpace {
 public:
  explicit KeySpace(std::string_view space) : head_(std::string(space) + ":") {}

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
  std::string epoch() const { return join(kEpoch, {}); }
  /// `dependency` is a tag, or a wrapped function by function_dependency.
  std::string version(std::string_view dependency) const { return join(kVersion, dependency); }
  /// By which all raises of versions in the namespace are ordered, whatever the server's time does.
  std::string clock() const { return join(kClock, {}); }
  /// What a version that is kept for ever is made from again when the server has evicted it. On the same slot.
  std::string copy(std::string_view version_key) const { return beside(kCopy, version_key); }
  /// Of the load of a raw value, beside its entry since other programs read that. On the same slot.
  std::string raw_lease(std::string_view name) const { return beside(kRawLease, entry(name)); }
  /// Stands while loads of raw values are not long past: removing by pattern then takes a second look.
  std::string raw_marker() const { return join(kRawMarker, {}); }
  /// Stands while somebody listens to announcements.
  std::string listener() const { return listener_key(head_); }
  /// A large value on its way, until it takes its key's place. On the same slot.
  std::string upload(std::string_view token, std::string_view key) const { return beside(kUpload, key).append(token); }
  /// The entry whose value that key of an upload has; none: it is no such key.
  std::optional<std::string_view> uploaded(std::string_view redis_key) const {
    if (!redis_key.starts_with(head_) || !redis_key.substr(head_.size()).starts_with(kUpload)) return std::nullopt;
    const std::string_view rest = redis_key.substr(head_.size() + kUpload.size());
    const Named of = parse(rest.substr(0, rest.rfind('}')));
    return of.kind == Kind::entry ? std::optional(of.name) : std::nullopt;
  }
  /// Counts the refreshes that were asked for.
  std::string order(std::string_view name) const { return join(kOrder, name); }
  /// Never there: its removal shows whether the server takes writes.
  std::string probe() const { return join(kProbe, {}); }
  /// The lease of the load that refreshes the value that has this checksum. So one that a failed refresh leaves
  /// concerns no later value.
  std::string refresh_lease(std::string_view name, std::uint64_t checksum) const {
    return join(kLease, fmt::format("{:016x}:{}", checksum, name));
  }

  /// Written when a version was raised, for processes with an invalidation channel: a version's own key changes for
  /// other reasons, too. `token` has no colon.
  std::string notice(std::string_view token, std::string_view dependency) const {
    return join(kNotice, std::string(token).append(":").append(dependency));
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
    if (rest == kEpoch) return {Kind::epoch, {}};
    if (rest == kListenerName) return {Kind::listener, {}};
    if (rest.starts_with(kRawLease) && rest.ends_with('}')) {
      const Named of = parse(rest.substr(kRawLease.size(), rest.size() - kRawLease.size() - 1));
      if (of.kind == Kind::entry) return {Kind::raw_lease, of.name};
    }
    if (rest.starts_with(kVersion)) return {Kind::version, rest.substr(kVersion.size())};
    if (rest.starts_with(kNotice)) {
      const std::string_view notice = rest.substr(kNotice.size());
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
  static std::string_view escape(std::string_view name) { return name.starts_with('\x01') ? "\x01" : ""; }
  std::string join(std::string_view mark, std::string_view name) const {
    std::string key;
    key.reserve(head_.size() + mark.size() + name.size());
    return key.append(head_).append(mark).append(name);
  }

  std::string head_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
