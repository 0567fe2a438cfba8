#include "l2/tracking/announcement.hpp"

#include <charconv>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// What every release begins with, and this one.
constexpr std::string_view kAny = "dsta-changes/", kThis = "dsta-changes/1 ";
constexpr char kSender = 's';

/// Takes `k3:abc` off `rest`. False: it begins otherwise.
bool take(std::string_view& rest, char& kind, std::string_view& text) {
  if (rest.empty()) return false;
  kind = rest[0];
  std::size_t size = 0;
  const char* const end = rest.data() + rest.size();
  const auto [colon, error] = std::from_chars(rest.data() + 1, end, size);
  if (error != std::errc{} || colon == end || *colon != ':') return false;
  rest.remove_prefix(static_cast<std::size_t>(colon + 1 - rest.data()));
  if (size > rest.size()) return false;
  text = rest.substr(0, size);
  rest.remove_prefix(size);
  return true;
}

}  // namespace

AnnouncementText::AnnouncementText(std::string_view sender) : text_(kThis) { add(kSender, sender); }

AnnouncementText& AnnouncementText::add(Announcement::Kind kind, std::string_view text) {
  add(static_cast<char>(kind), text);
  return *this;
}

void AnnouncementText::add(char kind, std::string_view text) {
  text_ += kind;
  text_.append(std::to_string(text.size())).append(":").append(text);
}

std::optional<Announcement> read_announcement(std::string_view text) {
  if (!text.starts_with(kAny)) return std::nullopt;
  Announcement read;
  read.unknown = true;
  if (!text.starts_with(kThis)) return read;
  text.remove_prefix(kThis.size());
  char kind = 0;
  if (!take(text, kind, read.sender) || kind != kSender) return read;
  while (!text.empty()) {
    std::string_view item;
    if (!take(text, kind, item)) return read;
    switch (const auto known = static_cast<Announcement::Kind>(kind)) {
      case Announcement::Kind::key:
      case Announcement::Kind::glob:
      case Announcement::Kind::probe:
        read.items.push_back({known, item});
        break;
      default:
        return read;
    }
  }
  read.unknown = false;
  return read;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
