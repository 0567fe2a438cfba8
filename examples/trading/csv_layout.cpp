#include "csv_layout.hpp"

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <stdexcept>

#include <fmt/format.h>

namespace trading {
namespace {

constexpr std::size_t kKlineColumns = 12;  // open_time, open, high, low, close, volume, close_time, …

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// `Open_Time`, `open time` and `openTime` are one name.
std::string plain_name(std::string_view header) {
  std::string name;
  for (const char c : header) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return name;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

class Header {
 public:
  explicit Header(const std::vector<std::string>& fields) {
    for (const auto& field : fields) names_.push_back(plain_name(field));
  }

  /// The column with the first of these names that exists.
  std::optional<std::size_t> find(std::initializer_list<std::string_view> names) const {
    for (const auto wanted : names) {
      const auto found = std::find(names_.begin(), names_.end(), wanted);
      if (found != names_.end()) return static_cast<std::size_t>(found - names_.begin());
    }
    return std::nullopt;
  }

  /// `Volume`, or else the first of `Volume BTC`, `Volume USDT`.
  std::optional<std::size_t> volume() const {
    if (const auto exact = find({"volume"})) return exact;
    const auto found =
        std::find_if(names_.begin(), names_.end(), [](const std::string& n) { return n.starts_with("volume"); });
    if (found == names_.end()) return std::nullopt;
    return static_cast<std::size_t>(found - names_.begin());
  }

 private:
  std::vector<std::string> names_;
};

}  // namespace

std::vector<std::string> split_csv_line(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"') {
      if (quoted && i + 1 < line.size() && line[i + 1] == '"') {
        fields.back() += line[++i];
      } else {
        quoted = !quoted;
      }
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  for (auto& field : fields) field = std::string{trimmed(field)};
  return fields;
}

CsvLayout detect_layout(const std::vector<std::string>& first_line) {
  CsvLayout layout;
  layout.columns = first_line.size();
  if (is_number(first_line.front())) {
    if (first_line.size() != kKlineColumns) {
      throw std::invalid_argument(fmt::format(
          "no header, and {} columns where a kline export has {}: add a header such as Date,Open,High,Low,Close,Volume",
          first_line.size(), kKlineColumns));
    }
    layout.has_header = false;
    layout.time = 0;
    layout.open = 1;
    layout.high = 2;
    layout.low = 3;
    layout.close = 4;
    layout.volume = 5;
    return layout;
  }

  const Header header{first_line};
  const auto missing = [](std::string_view name) {
    return std::invalid_argument(fmt::format("the header has no column '{}'", name));
  };
  const auto close = header.find({"close", "closelast"});
  const auto time = header.find({"opentime", "timestamp", "unix", "datetime", "date", "time"});
  if (!time) throw missing("date");
  if (!close) throw missing("close");
  layout.time = *time;
  layout.close = *close;
  if (header.find({"date"}) == time) layout.time_of_day = header.find({"time"});
  layout.open = header.find({"open"});
  layout.high = header.find({"high"});
  layout.low = header.find({"low"});
  layout.volume = header.volume();
  if (layout.open || layout.high || layout.low) {
    if (!layout.open) throw missing("open");
    if (!layout.high) throw missing("high");
    if (!layout.low) throw missing("low");
  }
  return layout;
}

}  // namespace trading
