#include "base/time_zone.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Big-endian numbers of a TZif file. A read past the end fails all that follow.
class TimeZone::Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool good() const { return good_; }
  std::string_view rest() const { return rest_; }
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::int64_t number(std::size_t size) {
    const std::string_view bytes = take(size);
    if (bytes.empty()) return 0;
    std::uint64_t value = static_cast<signed char>(bytes[0]) < 0 ? ~std::uint64_t{0} : 0;
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return static_cast<std::int64_t>(value);
  }

 private:
  std::string_view rest_;
  bool good_ = true;
};

/// The footer of a TZif file: `EST5EDT,M3.2.0,M11.1.0`.
class TimeZone::RuleReader {
 public:
  explicit RuleReader(std::string_view text) : rest_(text) {}

  std::optional<Rule> read() {
    Rule rule;
    if (!name() || !offset(rule.standard)) return std::nullopt;
    rule.standard = -rule.standard;  // POSIX counts to the west
    if (rest_.empty()) return rule;
    rule.has_summer = true;
    rule.summer = rule.standard + std::chrono::hours(1);
    if (!name()) return std::nullopt;
    if (!rest_.empty() && rest_.front() != ',') {
      if (!offset(rule.summer)) return std::nullopt;
      rule.summer = -rule.summer;
    }
    if (!change(rule.begin) || !change(rule.end) || !rest_.empty()) return std::nullopt;
    return rule;
  }

 private:
  bool accept(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool number(int& out, int most) {
    std::size_t digits = 0;
    out = 0;
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9' && ++digits <= 3) {
      out = out * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return digits > 0 && out <= most;
  }
  bool name() {
    if (accept('<')) {
      const std::size_t end = rest_.find('>');
      if (end == std::string_view::npos) return false;
      rest_.remove_prefix(end + 1);
      return true;
    }
    const auto is_letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
    const auto end = std::ranges::find_if_not(rest_, is_letter);
    const auto size = static_cast<std::size_t>(end - rest_.begin());
    rest_.remove_prefix(size);
    return size >= 3;
  }
  /// [+-]hh[:mm[:ss]]
  bool offset(std::chrono::seconds& out) {
    const bool negative = accept('-');
    if (!negative) accept('+');
    std::array<int, 3> parts{};
    if (!number(parts[0], 167)) return false;
    for (std::size_t i = 1; i < parts.size() && accept(':'); ++i) {
      if (!number(parts[i], 59)) return false;
    }
    out = std::chrono::seconds(parts[0] * 3600 + parts[1] * 60 + parts[2]);
    if (negative) out = -out;
    return true;
  }
  bool change(Change& out) {
    if (!accept(',')) return false;
    if (accept('M')) {
      out.form = Change::Form::weekday_of_month;
      if (!number(out.month, 12) || !accept('.') || !number(out.week, 5) || !accept('.') || !number(out.day, 6)) {
        return false;
      }
      if (out.month == 0 || out.week == 0) return false;
    } else {
      out.form = accept('J') ? Change::Form::day_without_leap : Change::Form::day;
      if (!number(out.day, 365)) return false;
    }
    return !accept('/') || offset(out.time);
  }

  std::string_view rest_;
};

std::chrono::local_seconds TimeZone::Change::in(std::chrono::year year) const {
  using namespace std::chrono;
  if (form == Form::weekday_of_month) {
    const auto of_month = std::chrono::month(static_cast<unsigned>(month));
    const weekday wanted(static_cast<unsigned>(day));
    const std::chrono::local_days date =
        week == 5 ? std::chrono::local_days(year / of_month / wanted[last])
                  : std::chrono::local_days(year / of_month / wanted[static_cast<unsigned>(week)]);
    return date + time;
  }
  const std::chrono::local_days first(year / January / 1);
  if (form == Form::day) return first + days(day) + time;
  return first + days(day - 1 + (year.is_leap() && day >= 60 ? 1 : 0)) + time;  // counts no 29th of February
}

std::chrono::seconds TimeZone::Rule::offset_at(std::chrono::sys_seconds when) const {
  if (!has_summer) return standard;
  const auto day = std::chrono::floor<std::chrono::days>(when + standard);
  const std::chrono::year year = std::chrono::year_month_day(day).year();
  const std::chrono::sys_seconds from((begin.in(year)-standard).time_since_epoch());
  const std::chrono::sys_seconds until((end.in(year)-summer).time_since_epoch());
  // In the south summer goes over the end of the year.
  const bool is_summer = from < until ? from <= when && when < until : from <= when || when < until;
  return is_summer ? summer : standard;
}

std::optional<TimeZone> TimeZone::parse(std::string_view bytes) {
  Reader in(bytes);
  struct Counts {
    std::size_t utc, standard, leaps, times, types, characters;
  };
  const auto header = [&](char& version) {
    const bool is_magic = in.take(4) == "TZif";
    const std::string_view byte = in.take(1);
    version = byte.empty() ? '\0' : byte[0];
    in.take(15);
    std::array<std::size_t, 6> counts{};
    for (std::size_t& count : counts) count = static_cast<std::size_t>(in.number(4)) & 0xffffffff;
    if (!is_magic) in.take(std::string_view::npos);
    return Counts{counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]};
  };
  char version = '\0';
  Counts counts = header(version);
  std::size_t width = 4;
  if (version >= '2') {  // the same again behind it, with 64 bits
    in.take(counts.times * 5 + counts.types * 6 + counts.characters + counts.leaps * 8 + counts.standard + counts.utc);
    counts = header(version);
    width = 8;
  }
  if (!in.good() || counts.types == 0 || counts.times > in.rest().size()) return std::nullopt;

  TimeZone zone;
  Reader times(in.take(counts.times * width));
  const std::string_view indices = in.take(counts.times);
  std::vector<std::chrono::seconds> offsets;
  for (std::size_t i = 0; i < counts.types && in.good(); ++i) {
    offsets.push_back(std::chrono::seconds(in.number(4)));
    in.take(2);
  }
  in.take(counts.characters + counts.leaps * (width + 4) + counts.standard + counts.utc);
  if (!in.good()) return std::nullopt;
  zone.first_ = offsets.front();
  for (const char index : indices) {
    const auto type = static_cast<unsigned char>(index);
    if (type >= offsets.size()) return std::nullopt;
    zone.transitions_.push_back({std::chrono::sys_seconds(std::chrono::seconds(times.number(width))), offsets[type]});
  }
  if (!std::ranges::is_sorted(zone.transitions_, {}, &Transition::at)) return std::nullopt;
  if (width == 8) {
    const std::string_view footer = in.rest();
    const std::size_t end = footer.size() > 1 ? footer.find('\n', 1) : std::string_view::npos;
    if (end == std::string_view::npos || footer.front() != '\n') return std::nullopt;
    if (end > 1) {
      zone.rule_ = RuleReader(footer.substr(1, end - 1)).read();
      if (!zone.rule_) return std::nullopt;
    }
  }
  return zone;
}

TimeZone TimeZone::load(const std::string& name) {
  if (name == "UTC") return {};
  const bool is_name = !name.empty() && name.front() != '/' && name.find("..") == std::string::npos &&
                       std::ranges::all_of(name, [](char c) {
                         return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                                c == '_' || c == '-' || c == '+' || c == '/';
                       });
  const char* const directory = std::getenv("TZDIR");
  const std::string root = directory && *directory ? directory : "/usr/share/zoneinfo";
  if (is_name) {
    std::ifstream file(root + "/" + name, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();  // which, unlike an iterator, does not throw for a directory
    if (auto zone = parse(bytes.view())) return *std::move(zone);
  }
  throw ConfigError(
      fmt::format("no time zone '{}': names are those of the system's database, such as 'America/New_York' or 'UTC', "
                  "under {} (Debian: "
                  "package tzdata)",
                  name, root));
}

std::chrono::seconds TimeZone::offset_at(std::chrono::sys_seconds when) const {
  const auto next = std::ranges::upper_bound(transitions_, when, {}, &Transition::at);
  if (next == transitions_.end() && rule_) return rule_->offset_at(when);
  return next == transitions_.begin() ? first_ : std::prev(next)->offset;
}

std::chrono::sys_seconds TimeZone::to_utc(std::chrono::local_seconds local) const {
  const std::chrono::sys_seconds read_as_utc(local.time_since_epoch());
  const std::chrono::seconds before = offset_at(read_as_utc - std::chrono::days(1));
  const std::chrono::seconds after = offset_at(read_as_utc + std::chrono::days(1));
  if (offset_at(read_as_utc - before) == before) return read_as_utc - before;
  if (offset_at(read_as_utc - after) == after) return read_as_utc - after;
  return read_as_utc - before;  // skipped
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
