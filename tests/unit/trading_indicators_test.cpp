// The example's indicators against published reference columns, and against sums done by hand.
#include "trading/indicators.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "trading/csv_layout.hpp"

namespace trading {
namespace {

constexpr std::size_t kUp = 60;

std::vector<double> constant(double value) { return std::vector<double>(kUp, value); }

std::vector<double> line(double first, double step) {
  std::vector<double> values;
  for (std::size_t i = 0; i < kUp; ++i) values.push_back(first + step * static_cast<double>(i));
  return values;
}

/// The columns of a reference file; an empty cell is NaN.
class Reference {
 public:
  explicit Reference(const std::string& path) {
    std::ifstream in{path};
    std::string text;
    while (std::getline(in, text)) rows_.push_back(split_csv_line(text));
  }

  std::vector<double> column(const std::string& name) const {
    const auto& header = rows_.front();
    const auto at = static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
    std::vector<double> values;
    for (std::size_t i = 1; i < rows_.size(); ++i) {
      const auto& cell = rows_[i].at(at);
      values.push_back(cell.empty() ? std::nan("") : std::strtod(cell.c_str(), nullptr));
    }
    return values;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

#ifdef DSTA_CACHE_SHARED_DIR
const std::string kReferenceDirectory = DSTA_CACHE_SHARED_DIR "/candles/";
#else
const std::string kReferenceDirectory;
#endif

#define SKIP_UNLESS_THERE(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no reference file " << (path)

TEST(Indicators, RsiEqualsTheReferenceColumn) {
  const auto path = kReferenceDirectory + "cs-rsi.csv";
  SKIP_UNLESS_THERE(path);
  const Reference reference{path};
  const auto expected = reference.column("RSI");
  const auto actual = rsi(reference.column("Close"));
  ASSERT_EQ(actual.size(), expected.size());
  ASSERT_EQ(actual.size(), 33u);
  for (std::size_t i = 0; i < actual.size(); ++i) {
    // The file has six decimals, and it begins where rsi() does: at the fifteenth close, fourteen changes in.
    if (i < 14) {
      EXPECT_TRUE(std::isnan(actual[i]) && std::isnan(expected[i])) << "row " << i;
    } else {
      EXPECT_NEAR(actual[i], expected[i], 1e-6) << "row " << i;
    }
  }
}

TEST(Indicators, EmaAndMacdLineEqualTheReferenceColumns) {
  const auto path = kReferenceDirectory + "cs-macd.csv";
  SKIP_UNLESS_THERE(path);
  const Reference reference{path};
  const auto closes = reference.column("Close");
  const auto fast = ema(closes, 12);
  const auto slow = ema(closes, 26);
  const auto line = macd(closes).line;
  const auto expected_fast = reference.column("short_ema");
  const auto expected_slow = reference.column("long_ema");
  const auto expected_line = reference.column("MACD_line");
  ASSERT_EQ(line.size(), 124u);
  for (std::size_t i = 0; i < line.size(); ++i) {  // ten significant digits in the file
    EXPECT_NEAR(fast[i], expected_fast[i], 1e-8) << "row " << i;
    EXPECT_NEAR(slow[i], expected_slow[i], 1e-8) << "row " << i;
    EXPECT_NEAR(line[i], i == 0 ? 0 : expected_line[i], 1e-9) << "row " << i;  // the file's first cell is empty
  }
}

// The file's signal begins at the third row with -0.1291, a value that no average of the file's own rows gives: it was
// computed on a longer history. What the column proves is the recurrence, exactly, from its first value on.
TEST(Indicators, SignalFollowsTheReferenceColumnFromItsFirstValue) {
  const auto path = kReferenceDirectory + "cs-macd.csv";
  SKIP_UNLESS_THERE(path);
  const Reference reference{path};
  const auto expected = reference.column("MACD_signal");
  ASSERT_TRUE(std::isnan(expected[1]) && !std::isnan(expected[2]));
  auto line = macd(reference.column("Close")).line;
  line.erase(line.begin(), line.begin() + 2);
  line.front() = expected[2];
  const auto signal = ema(line, 9);
  for (std::size_t i = 0; i < signal.size(); ++i) EXPECT_NEAR(signal[i], expected[i + 2], 1e-8) << "row " << i + 2;
}

// Begun at the first row as usual, the signal differs from the column by the beginning alone: that shrinks by 0.8 a
// row, and is below 1e-6 from the 57th row on.
TEST(Indicators, SignalAndHistogramConvergeToTheReferenceColumns) {
  const auto path = kReferenceDirectory + "cs-macd.csv";
  SKIP_UNLESS_THERE(path);
  const Reference reference{path};
  const auto expected_signal = reference.column("MACD_signal");
  const auto expected_histogram = reference.column("MACD_diff");
  const auto actual = macd(reference.column("Close"));
  const double beginning = actual.signal[2] - expected_signal[2];
  for (std::size_t i = 2; i < actual.signal.size(); ++i) {
    const double left = beginning * std::pow(0.8, static_cast<double>(i - 2));
    EXPECT_NEAR(actual.signal[i] - left, expected_signal[i], 1e-8) << "row " << i;
    if (i < 56) continue;
    EXPECT_NEAR(actual.signal[i], expected_signal[i], 1e-6) << "row " << i;
    EXPECT_NEAR(actual.histogram[i], expected_histogram[i], 1e-6) << "row " << i;
  }
}

TEST(Indicators, SmaIsTheMeanOfTheWindow) {
  const std::vector<double> closes{1, 2, 3, 4, 8};
  const auto actual = sma(closes, 3);
  ASSERT_EQ(actual.size(), 5u);
  EXPECT_TRUE(std::isnan(actual[0]) && std::isnan(actual[1]));
  EXPECT_DOUBLE_EQ(actual[2], 2);
  EXPECT_DOUBLE_EQ(actual[3], 3);
  EXPECT_DOUBLE_EQ(actual[4], 5);
}

TEST(Indicators, EmaMovesHalfWayAtPeriodThree) {
  const std::vector<double> closes{10, 20, 20, 0};
  EXPECT_EQ(ema(closes, 3), (std::vector<double>{10, 15, 17.5, 8.75}));
}

TEST(Indicators, RsiOfASmallSeriesByHand) {
  const std::vector<double> closes{10, 12, 11, 11};  // gains 1, .5, .25; losses 0, .5, .25 with alpha 1/2
  const auto actual = rsi(closes, 2);
  EXPECT_TRUE(std::isnan(actual[0]) && std::isnan(actual[1]));
  EXPECT_DOUBLE_EQ(actual[2], 50);
  EXPECT_DOUBLE_EQ(actual[3], 50);
  EXPECT_DOUBLE_EQ(rsi(std::vector<double>{10, 13, 12, 14}, 2)[3], 100 * 1.375 / 1.625);
}

TEST(Indicators, RsiIsAHundredWhenPricesOnlyRise) { EXPECT_EQ(latest_rsi(line(100, 1)), 100); }
TEST(Indicators, RsiIsZeroWhenPricesOnlyFall) { EXPECT_EQ(latest_rsi(line(100, -1)), 0); }
TEST(Indicators, RsiIsFiftyWhenNothingMoves) { EXPECT_EQ(latest_rsi(constant(42)), 50); }

TEST(Indicators, RsiDoesNotDependOnTheUnitOfPrice) {
  const std::vector<double> closes{4, 5, 3, 6, 7, 5, 4, 8, 9, 7, 6, 8, 9, 10, 8, 7};
  std::vector<double> in_cents;
  for (const double close : closes) in_cents.push_back(close * 100);
  EXPECT_NEAR(latest_rsi(closes), latest_rsi(in_cents), 1e-9);
}

TEST(Indicators, MacdIsZeroWhenNothingMoves) { EXPECT_EQ(latest_macd(constant(42)), (Macd{0, 0, 0})); }

TEST(Indicators, MacdOfASteadyRiseTendsToTheDifferenceOfTheLags) {
  std::vector<double> closes;
  for (int i = 0; i < 600; ++i) closes.push_back(i);
  const auto actual = latest_macd(closes);  // an EMA lags a line of slope 1 by (period - 1) / 2
  EXPECT_NEAR(actual.line, 12.5 - 5.5, 1e-9);
  EXPECT_NEAR(actual.signal, 7, 1e-9);
  EXPECT_NEAR(actual.histogram, 0, 1e-9);
}

TEST(Indicators, BandsCloseOnAConstant) { EXPECT_EQ(latest_bollinger(constant(42)), (Bands{42, 42, 42})); }

TEST(Indicators, BandsAreTwoPopulationDeviationsWide) {
  const std::vector<double> closes{2, 4, 4, 4, 5, 5, 7, 9};  // mean 5, deviation 2
  const auto bands = bollinger(closes, 8, 2);
  EXPECT_DOUBLE_EQ(bands.lower.back(), 1);
  EXPECT_DOUBLE_EQ(bands.middle.back(), 5);
  EXPECT_DOUBLE_EQ(bands.upper.back(), 9);
  EXPECT_TRUE(std::isnan(bands.lower[6]) && std::isnan(bands.upper[6]));
}

TEST(Indicators, TooFewClosesAreAnErrorThatSaysHowManyAreNeeded) {
  const std::vector<double> closes(14, 1.0);
  try {
    latest_rsi(closes);
    FAIL() << "no exception";
  } catch (const std::domain_error& error) {
    EXPECT_STREQ(error.what(), "RSI needs 15 closes, and there are 14");
  }
  EXPECT_THROW(latest_macd(closes), std::domain_error);
  EXPECT_THROW(latest_bollinger(closes), std::domain_error);
}

TEST(Indicators, AnEmptySeriesHasNoValues) {
  EXPECT_TRUE(sma({}, 3).empty() && ema({}, 3).empty() && rsi({}).empty() && macd({}).line.empty() &&
              bollinger({}).middle.empty());
}

TEST(Indicators, APeriodOfZeroIsRefused) {
  const auto closes = constant(1);
  EXPECT_THROW(sma(closes, 0), std::invalid_argument);
  EXPECT_THROW(ema(closes, 0), std::invalid_argument);
  EXPECT_THROW(rsi(closes, 0), std::invalid_argument);
  EXPECT_THROW(bollinger(closes, 0), std::invalid_argument);
}

}  // namespace
}  // namespace trading
