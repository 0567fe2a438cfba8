#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Announcements: how processes of this library tell each other what they have changed, where the server reports no
/// changes (CoherenceMode::announcements). Each is a message by PUBLISH, sent behind the change in the same request.
///
/// The text is public, since processes of different releases share a server: see docs/formats.md.

/// Where changes are announced. `prefix`: the namespace and its colon.
inline std::string announcement_channel(std::string_view prefix) { return std::string(prefix) + "changes"; }
/// Where a process sends probes to itself, so that nobody else has to read them.
inline std::string probe_channel(std::string_view prefix, std::string_view process) {
  return announcement_channel(prefix).append(":").append(process);
}
/// Stands while a process listens to announcements: others announce their changes then.
inline constexpr std::string_view kListenerName = "\x01listens";
inline std::string listener_key(std::string_view prefix) { return std::string(prefix).append(kListenerName); }

struct Announcement {
  enum class Kind : char {
    key = 'k',    ///< a key of the server was changed
    glob = 'g',   ///< all entries were removed whose joined key matches, whether they were there or not
    probe = 't',  ///< nothing: a self-test
  };
  struct Item {
    Kind kind;
    std::string_view text;
  };

  std::string_view sender = {};  ///< the process: it knows what it has changed
  std::vector<Item> items = {};
  /// Another release wrote it, or it is damaged: anything may have been changed.
  bool unknown = false;
};

/// Writes one announcement. One thread.
class AnnouncementText {
 public:
  explicit AnnouncementText(std::string_view sender);
  AnnouncementText& add(Announcement::Kind kind, std::string_view text);
  const std::string& text() const { return text_; }

 private:
  void add(char kind, std::string_view text);
  std::string text_;
};

/// Views into `text`. Nothing: it is no announcement, but what a stranger has published there.
std::optional<Announcement> read_announcement(std::string_view text);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
