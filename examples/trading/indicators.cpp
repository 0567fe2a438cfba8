#include "indicators.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

namespace trading {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

void require_period(std::size_t period, std::string_view indicator) {
  if (period == 0) throw std::invalid_argument(fmt::format("{}: the period must be at least 1", indicator));
}

void require_closes(std::span<const double> closes, std::size_t needed, std::string_view indicator) {
  if (closes.size() < needed) {
    throw std::domain_error(fmt::format("{} needs {} closes, and there are {}", indicator, needed, closes.size()));
  }
}

double strength(double gain, double loss) {
  if (gain + loss == 0) return 50;
  return 100 * gain / (gain + loss);  // = 100 - 100 / (1 + gain / loss), without the division by zero
}

}  // namespace

std::vector<double> closes_of(std::span<const Candle> candles) {
  std::vector<double> closes(candles.size());
  std::transform(candles.begin(), candles.end(), closes.begin(), [](const Candle& candle) { return candle.close; });
  return closes;
}

// Each window is summed again: a running sum is faster and drifts by rounding, and 20 additions cost nothing here.
std::vector<double> sma(std::span<const double> closes, std::size_t period) {
  require_period(period, "SMA");
  std::vector<double> result(closes.size(), kUndefined);
  for (std::size_t end = period; end <= closes.size(); ++end) {
    double sum = 0;
    for (const double close : closes.subspan(end - period, period)) sum += close;
    result[end - 1] = sum / static_cast<double>(period);
  }
  return result;
}

std::vector<double> ema(std::span<const double> closes, std::size_t period) {
  require_period(period, "EMA");
  const double alpha = 2 / (static_cast<double>(period) + 1);
  std::vector<double> result(closes.begin(), closes.end());
  for (std::size_t i = 1; i < result.size(); ++i) result[i] = result[i - 1] + alpha * (closes[i] - result[i - 1]);
  return result;
}

std::vector<double> rsi(std::span<const double> closes, std::size_t period) {
  require_period(period, "RSI");
  const double alpha = 1 / static_cast<double>(period);
  std::vector<double> result(closes.size(), kUndefined);
  double gain = 0;
  double loss = 0;
  for (std::size_t i = 1; i < closes.size(); ++i) {
    const double change = closes[i] - closes[i - 1];
    gain += alpha * (std::max(change, 0.0) - gain);
    loss += alpha * (std::max(-change, 0.0) - loss);
    if (i >= period) result[i] = strength(gain, loss);
  }
  return result;
}

MacdSeries macd(std::span<const double> closes, std::size_t fast, std::size_t slow, std::size_t signal) {
  MacdSeries result;
  result.line = ema(closes, fast);
  const auto slow_average = ema(closes, slow);
  for (std::size_t i = 0; i < closes.size(); ++i) result.line[i] -= slow_average[i];
  result.signal = ema(result.line, signal);
  result.histogram = result.line;
  for (std::size_t i = 0; i < closes.size(); ++i) result.histogram[i] -= result.signal[i];
  return result;
}

BandsSeries bollinger(std::span<const double> closes, std::size_t period, double width) {
  BandsSeries result;
  result.middle = sma(closes, period);
  result.lower = result.upper = result.middle;
  for (std::size_t end = period; end <= closes.size(); ++end) {
    const double mean = result.middle[end - 1];
    double squares = 0;
    for (const double close : closes.subspan(end - period, period)) squares += (close - mean) * (close - mean);
    const double deviation = std::sqrt(squares / static_cast<double>(period));
    result.lower[end - 1] -= width * deviation;
    result.upper[end - 1] += width * deviation;
  }
  return result;
}

double latest_rsi(std::span<const double> closes, std::size_t period) {
  require_closes(closes, period + 1, "RSI");
  return rsi(closes, period).back();
}

Macd latest_macd(std::span<const double> closes) {
  require_closes(closes, 26, "MACD");
  const auto series = macd(closes);
  return {series.line.back(), series.signal.back(), series.histogram.back()};
}

Bands latest_bollinger(std::span<const double> closes) {
  require_closes(closes, 20, "Bollinger bands");
  const auto series = bollinger(closes);
  return {series.lower.back(), series.middle.back(), series.upper.back()};
}

}  // namespace trading
