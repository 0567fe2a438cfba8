// The example's candle reader: the layouts it knows, and the errors it gives for the rest.
#include "trading/candle_csv.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "error_of.hpp"
#include "trading/timestamp.hpp"

namespace trading {
namespace {

constexpr std::int64_t kDay = 86'400'000;
constexpr std::int64_t kNewYear2024 = 1'704'067'200'000;

std::vector<Candle> parsed(const std::string& text) {
  std::istringstream in{text};
  return parse_candles(in, "prices.csv");
}

std::string error_of(const std::string& text) {
  return dsta::cache::testing_support::error_of<CsvError>([&] { parsed(text); });
}

TEST(CandleCsv, ReadsAKlineExportWithoutHeader) {
  const auto candles = parsed(
      "1704067200000,42283.58,42554.57,42261.02,42475.23,1271.68108,1704070799999,53957248.97,47134,682.57581,28957416."
      "82,0\n"
      "1704070800000,42475.23,42775.0,42431.65,42613.56,1196.37856,1704074399999,50984555.15,42230,605.42,25797400.0,"
      "0\n");
  ASSERT_EQ(candles.size(), 2u);
  EXPECT_EQ(candles[0], (Candle{kNewYear2024, 42283.58, 42554.57, 42261.02, 42475.23, 1271.68108}));
  EXPECT_EQ(candles[1].open_time, kNewYear2024 + 3'600'000);
  EXPECT_EQ(interval_name(step_of(candles)), "1h");
}

TEST(CandleCsv, ReadsAKlineExportInMicrosecondsWithHeader) {
  const auto candles = parsed(
      "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,"
      "ignore\r\n"
      "1735689600000000,1,4,0.5,3,10,1735693199999999,0,0,0,0,0\r\n");
  ASSERT_EQ(candles.size(), 1u);
  EXPECT_EQ(candles[0], (Candle{1'735'689'600'000, 1, 4, 0.5, 3, 10}));
}

TEST(CandleCsv, ReadsDateAndCloseAlone) {
  const auto candles = parsed("Date,Close,Change\n14-Dec-09,44.3389,\n15-Dec-09,44.0902,-0.2487\n");
  ASSERT_EQ(candles.size(), 2u);
  EXPECT_EQ(format_timestamp(candles[0].open_time), "2009-12-14 00:00");
  EXPECT_EQ(candles[1], (Candle{candles[0].open_time + kDay, 44.0902, 44.0902, 44.0902, 44.0902, 0}));
  EXPECT_EQ(interval_name(step_of(candles)), "1d");
}

TEST(CandleCsv, ReadsNamedColumnsInAnyOrderQuotedAndNewestFirst) {
  const auto candles = parsed(
      "\xEF\xBB\xBF\"Volume BTC\", Close ,\"Note, free text\",HIGH,low,Open,Date\n"
      "7,4,\"a \"\"b\"\", c\",5,1,2,2024-01-02\n"
      "\n"
      "6,2,,3,1,1.5,2024-01-01\n");
  ASSERT_EQ(candles.size(), 2u);
  EXPECT_EQ(candles[0], (Candle{kNewYear2024, 1.5, 3, 1, 2, 6}));
  EXPECT_EQ(candles[1], (Candle{kNewYear2024 + kDay, 2, 5, 1, 4, 7}));
}

TEST(CandleCsv, JoinsDateAndTimeColumns) {
  const auto candles = parsed("Date,Time,Close\n2024-01-01,09:30,1\n2024-01-01,09:45,2\n");
  EXPECT_EQ(candles[0].open_time, kNewYear2024 + (9 * 60 + 30) * 60'000);
  EXPECT_EQ(interval_name(step_of(candles)), "15m");
}

TEST(CandleCsv, ALastLineWithoutLineEndCounts) {
  EXPECT_EQ(parsed("Date,Close\n2024-01-01,1\n2024-01-02,2").size(), 2u);
}

TEST(CandleCsv, ErrorsNameFileLineAndCause) {
  EXPECT_EQ(error_of(""), "prices.csv: the file is empty");
  EXPECT_EQ(error_of("\n\n"), "prices.csv: the file is empty");
  EXPECT_EQ(error_of("Date,Close\n"), "prices.csv: a header, but no candle after it");
  EXPECT_EQ(error_of("Date,Open,High,Low\n"), "prices.csv:1: the header has no column 'close'");
  EXPECT_EQ(error_of("Open,High,Low,Close\n"), "prices.csv:1: the header has no column 'date'");
  EXPECT_EQ(error_of("Date,Open,High,Close\n"), "prices.csv:1: the header has no column 'low'");
  EXPECT_EQ(error_of("Date,Close\n2024-01-01,1\n2024-01-02,12x\n"),
            "prices.csv:3: column 'close': '12x' is not a number");
  EXPECT_EQ(error_of("Date,Close\n2024-01-01,\n"), "prices.csv:2: column 'close' is empty");
  EXPECT_EQ(error_of("Date,Close\n2024-01-01,nan\n"), "prices.csv:2: column 'close': 'nan' is not finite");
  EXPECT_EQ(error_of("Date,Close\n2024-01-01,-inf\n"), "prices.csv:2: column 'close': '-inf' is not finite");
  EXPECT_EQ(error_of("Date,Close\n2024-01-01,1e999\n"), "prices.csv:2: column 'close': '1e999' is out of range");
  EXPECT_EQ(error_of("Date,Close\n2024-01-01\n"), "prices.csv:2: 1 columns, where the first line has 2");
  EXPECT_EQ(error_of("Date,Open,High,Low,Close\n2024-01-01,1,2,3,1\n"), "prices.csv:2: high 2 is below low 3");
  EXPECT_EQ(error_of("Date,Close,Volume\n2024-01-01,1,-2\n"), "prices.csv:2: volume -2 is negative");
  EXPECT_EQ(error_of("Date,Close\n2024-01-01,1\n\n2024-01-01,2\n"),
            "prices.csv:4: the time 2024-01-01 00:00 stands on line 2 too");
  EXPECT_EQ(error_of("Date,Close\n01/02/2024,1\n"),
            "prices.csv:2: '01/02/2024' is not a time: use 2024-01-31 [13:45], 31-Jan-24 or milliseconds since 1970");
  EXPECT_EQ(error_of("1704067200000,1,2,1,2,5\n"),
            "prices.csv:1: no header, and 6 columns where a kline export has 12: add a header such as "
            "Date,Open,High,Low,Close,Volume");
}

TEST(CandleCsv, AFileThatCannotBeReadIsAnError) {
  EXPECT_THROW(read_candles("no such file.csv"), CsvError);
  EXPECT_THROW(read_candles(std::filesystem::temp_directory_path().string()), CsvError);
}

TEST(CandleCsv, ReadsTheReferenceFile) {
#ifdef DSTA_CACHE_SHARED_DIR
  const std::string path = DSTA_CACHE_SHARED_DIR "/candles/cs-rsi.csv";
#else
  const std::string path;
#endif
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no reference file " << path;
  const auto candles = read_candles(path);
  ASSERT_EQ(candles.size(), 33u);
  EXPECT_EQ(format_timestamp(candles.back().open_time), "2010-02-01 00:00");
  EXPECT_EQ(candles.back().close, 43.1314);
}

TEST(Timestamp, ReadsEveryDocumentedForm) {
  for (const char* text : {"1704067200", "1704067200000", "1704067200000000", "20240101", "2024-01-01", "2024/01/01",
                           "2024-1-1", "2024-01-01 00:00", "2024-01-01T00:00:00Z", "2024-01-01 00:00:00 UTC",
                           "2024-01-01T01:00:00.000+01:00", "2023-12-31 19:00:00-0500", "01-Jan-24", "1-jan-2024"}) {
    EXPECT_EQ(parse_timestamp(text), kNewYear2024) << text;
  }
  EXPECT_EQ(parse_timestamp("2024-01-01 00:00:01.2509"), kNewYear2024 + 1250);
  EXPECT_EQ(parse_timestamp("20240101T00:00:01.250999999999Z"), kNewYear2024 + 1250);
  EXPECT_EQ(format_timestamp(*parse_timestamp("1-OCT-24")), "2024-10-01 00:00");
  EXPECT_EQ(format_timestamp(*parse_timestamp("9999-12-31T23:59:59Z")), "9999-12-31 23:59");
  EXPECT_EQ(format_timestamp(*parse_timestamp("31-Dec-69")), "1969-12-31 00:00");
}

TEST(Timestamp, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", " ", "yesterday", "2024-02-30", "20240230", "2024-13-01", "2024/01-01", "30-Feb-24", "01-Foo-24",
        "01/02/2024", "2024-01-01 24:00", "2024-01-01 12:60", "2024-01-01T", "2024-01-01 12:00x",
        "2024-01-01 12:00:00.", "2024-01-01 12:00 CET", "-5", "99999999999999999999"}) {
    EXPECT_FALSE(parse_timestamp(text)) << text;
  }
}

TEST(Timestamp, RefusesWhatIsAlmostATime) {
  for (const char* text : {"24-01-31", "31-Jan-2", "01-Jan-202", "2024-01-01 12:5", "2024-01-01 12:00:60",
                           "2024-01-01 12:00:00.Z", "2024-01-01 12:00:59123456789Z", "2024-01-01 12:00 0100",
                           "2024-01-01 12:00+15:00", "2024-01-01 12:00+01:60", "2024-01-01 12:00 +"}) {
    EXPECT_FALSE(parse_timestamp(text)) << text;
  }
  EXPECT_FALSE(parse_timestamp("2024-01-01 12:00:00." + std::string(1'000'000, '0')));
}

}  // namespace
}  // namespace trading
