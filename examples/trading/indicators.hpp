// Technical indicators as pure functions over closing prices, oldest first.
//
// A series has as many values as there are closes; where an indicator is not defined yet it is NaN.
// The `latest_…` functions give the last value and throw std::domain_error when there are too few closes for it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model.hpp"

namespace trading {

std::vector<double> closes_of(std::span<const Candle> candles);

/// The mean of the last `period` closes; defined from close number `period` on.
std::vector<double> sma(std::span<const double> closes, std::size_t period);

/// Exponential average with alpha = 2 / (period + 1), begun at the first close (pandas: adjust=False); never NaN.
std::vector<double> ema(std::span<const double> closes, std::size_t period);

/// Wilder's relative strength index, 0 to 100. Average gain and loss are smoothed with alpha = 1 / period from 0
/// before the first change; defined once `period` changes are in. Only gains: 100; no movement at all: 50.
std::vector<double> rsi(std::span<const double> closes, std::size_t period = 14);

struct MacdSeries {
  std::vector<double> line;       ///< ema(fast) - ema(slow)
  std::vector<double> signal;     ///< ema of the line, begun at its first value
  std::vector<double> histogram;  ///< line - signal
};
MacdSeries macd(std::span<const double> closes, std::size_t fast = 12, std::size_t slow = 26, std::size_t signal = 9);

struct BandsSeries {
  std::vector<double> lower;
  std::vector<double> middle;  ///< sma
  std::vector<double> upper;
};
/// The middle ± `width` standard deviations (of the population: divided by `period`) of the last `period` closes.
BandsSeries bollinger(std::span<const double> closes, std::size_t period = 20, double width = 2);

double latest_rsi(std::span<const double> closes, std::size_t period = 14);
Macd latest_macd(std::span<const double> closes);
Bands latest_bollinger(std::span<const double> closes);

}  // namespace trading
