#include "report.hpp"

#include <unistd.h>

#include <cstdlib>

#include <fmt/format.h>

#include "timestamp.hpp"

namespace trading {
namespace {

constexpr const char* kBold = "1";
constexpr const char* kDim = "2";
constexpr const char* kGreen = "32";
constexpr const char* kRed = "31";

bool wants_colours(std::FILE* out) { return isatty(fileno(out)) == 1 && std::getenv("NO_COLOR") == nullptr; }

}  // namespace

std::string describe(Nanoseconds duration) {
  const auto ns = static_cast<double>(duration.count());
  if (ns < 1e3) return fmt::format("{:.0f} ns", ns);
  if (ns < 1e6) return fmt::format("{:.3g} µs", ns / 1e3);
  if (ns < 1e9) return fmt::format("{:.3g} ms", ns / 1e6);
  return fmt::format("{:.3g} s", ns / 1e9);
}

std::string describe(double value) { return fmt::format("{:.2f}", value); }

std::string describe(const Ticker& ticker) {
  return fmt::format("{:.2f} at {}", ticker.last, format_timestamp(ticker.time));
}

std::string describe(const OrderBook& book) {
  if (book.bids.empty() || book.asks.empty()) return "empty";
  return fmt::format("bid {:.2f}, ask {:.2f}", book.bids.front().price, book.asks.front().price);
}

std::string describe(const std::vector<Candle>& candles) {
  if (candles.empty()) return "none";
  return fmt::format("{} up to {}", candles.size(), format_timestamp(candles.back().open_time));
}

std::string describe(const Macd& macd) { return fmt::format("{:+.3f}, signal {:+.3f}", macd.line, macd.signal); }

std::string describe(const Bands& bands) { return fmt::format("{:.2f} to {:.2f}", bands.lower, bands.upper); }

std::string describe(const Preferences& preferences) {
  return fmt::format("{}, {}, {}", preferences.theme, preferences.currency, preferences.favourite);
}

Report::Report(std::FILE* out) : out_(out), colours_(wants_colours(out)) {}

std::string Report::styled(const char* code, std::string_view text) const {
  return colours_ ? fmt::format("\033[{}m{}\033[0m", code, text) : std::string{text};
}

void Report::title(std::string_view name, std::string_view text) {
  fmt::print(out_, "{} {}\n", styled(kBold, fmt::format("{:<9}", name)), text);
}

void Report::section(std::string_view heading) { fmt::print(out_, "\n{}\n", styled(kBold, heading)); }

void Report::line(std::string_view text) { fmt::print(out_, "  {}\n", text); }

void Report::timing_header(std::string_view heading) {
  const auto columns =
      fmt::format("{:<16}{:>10}{:>11}{:>21}   {}", heading, "cold", "cached", "after invalidation", "value");
  fmt::print(out_, "\n{}\n", styled(kBold, columns));
}

void Report::timing(const Timing& row) {
  const auto cached = styled(kGreen, fmt::format("{:>11}", describe(row.cached)));
  fmt::print(out_, "  {:<14}{:>10}{}{:>21}   {}\n", row.name, describe(row.cold), cached, describe(row.reloaded),
             styled(kDim, row.value));
}

void Report::check(bool holds, std::string_view promise) {
  ++(holds ? passed_ : failed_);
  fmt::print(out_, "  {} {}\n", holds ? styled(kGreen, "✓") : styled(kRed, "✗ FAILED:"), promise);
}

void Report::quiet_check(bool holds, std::string_view promise) {
  if (holds) {
    ++passed_;
  } else {
    check(false, promise);
  }
}

bool Report::finish() {
  const auto verdict = failed_ == 0 ? styled(kGreen, fmt::format("all {} checks passed", passed_))
                                    : styled(kRed, fmt::format("{} of {} checks FAILED", failed_, passed_ + failed_));
  fmt::print(out_, "\n{}\n", verdict);
  std::fflush(out_);
  return failed_ == 0;
}

}  // namespace trading
