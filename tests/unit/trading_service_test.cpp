// The rest of the trading example below its cache: store, exchange, generator, command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "error_of.hpp"
#include "trading/candle_store.hpp"
#include "trading/exchange_client.hpp"
#include "trading/market.hpp"
#include "trading/options.hpp"
#include "trading/random_walk.hpp"

namespace trading {
namespace {

using namespace std::chrono_literals;
using dsta::cache::testing_support::error_of;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

Options options_of(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "trading");
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

std::string usage_error_of(std::vector<const char*> arguments) {
  return error_of<UsageError>([&] { options_of(std::move(arguments)); });
}

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& name)
      : path_((std::filesystem::temp_directory_path() / (name + std::to_string(::getpid()))).string()) {
    std::filesystem::remove(path_);
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(CandleStore, KeepsSeriesApartAndAnswersOldestFirst) {
  CandleStore store{":memory:"};
  const auto walk = random_walk("A", {.count = 5});
  store.replace_series("A", "1h", walk);
  store.replace_series("A", "1d", std::vector<Candle>{walk[0]});
  EXPECT_EQ(store.recent_candles("A", "1h"), walk);
  EXPECT_EQ(store.recent_candles("A", "1h", 2), (std::vector<Candle>{walk[3], walk[4]}));
  EXPECT_EQ(store.recent_candles("A", "1d").size(), 1u);
  EXPECT_TRUE(store.recent_candles("B", "1h").empty());
}

TEST(CandleStore, ACandleOfTheSameTimeIsOverwritten) {
  CandleStore store{":memory:"};
  store.insert("A", "1h", {1000, 1, 1, 1, 1, 1});
  store.insert("A", "1h", {1000, 1, 3, 1, 2, 5});
  EXPECT_EQ(store.recent_candles("A", "1h"), (std::vector<Candle>{{1000, 1, 3, 1, 2, 5}}));
}

TEST(CandleStore, TextIsNeverSql) {
  CandleStore store{":memory:"};
  const std::string name = "'; DROP TABLE candles; --";
  store.insert(name, "1h", {1000, 1, 1, 1, 1, 1});
  EXPECT_EQ(store.recent_candles(name, "1h").size(), 1u);
}

TEST(CandleStore, AFileKeepsItsContent) {
  const TemporaryFile file{"trading_store_test"};
  { CandleStore{file.path()}.save_preferences({7, "dark", "EUR", "A"}); }
  EXPECT_EQ(CandleStore{file.path()}.preferences(7), (Preferences{7, "dark", "EUR", "A"}));
}

TEST(CandleStore, AnUnknownUserAndAFileThatCannotBeOpenedAreErrors) {
  CandleStore store{":memory:"};
  EXPECT_THROW(store.preferences(1), std::out_of_range);
  EXPECT_EQ(error_of<SqliteError>([] { CandleStore{"/no/such/directory/db.sqlite"}; }),
            "sqlite: open: unable to open database file (database /no/such/directory/db.sqlite)");
}

TEST(CandleStore, SeveralThreadsMayReadAndWrite) {
  CandleStore store{":memory:"};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&store, t] {
      for (std::int64_t i = 0; i < 50; ++i) {
        store.insert("A", "1h", {t * 1000 + i, 1, 1, 1, 1, 1});
        store.recent_candles("A", "1h", 10);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store.recent_candles("A", "1h").size(), 200u);
}

TEST(CandleStore, AFailedReplacementChangesNothing) {
  CandleStore store{":memory:"};
  const auto walk = random_walk("A", {.count = 5});
  store.replace_series("A", "1h", walk);
  auto wrong = random_walk("B", {.count = 3});
  wrong.back().close = std::numeric_limits<double>::quiet_NaN();  // NULL to SQLite
  EXPECT_EQ(error_of<SqliteError>([&] { store.replace_series("A", "1h", wrong); }),
            "sqlite: replace the candles of A 1h: NOT NULL constraint failed: candles.close (database :memory:)");
  EXPECT_EQ(store.recent_candles("A", "1h"), walk);
  store.replace_series("A", "1h", std::vector<Candle>{walk[0]});
  EXPECT_EQ(store.recent_candles("A", "1h").size(), 1u);
}

TEST(ExchangeClient, AnswersFromTheLastCandleAndFailsWhenDown) {
  CandleStore store{":memory:"};
  store.insert("A", "1h", {1000, 90, 110, 80, 100, 500});
  ExchangeClient exchange{store, "1h", 0ms};
  EXPECT_EQ(exchange.ticker("A").last, 100);
  EXPECT_EQ(exchange.ticker("A").time, 1000);
  const auto book = exchange.order_book("A");
  EXPECT_LT(book.bids.front().price, book.asks.front().price);
  EXPECT_GT(book.bids.front().price, book.bids.back().price);
  EXPECT_THROW(exchange.ticker("B"), ExchangeError);
  exchange.set_down(true);
  EXPECT_THROW(exchange.ticker("A"), ExchangeError);
  exchange.set_down(false);
  EXPECT_EQ(exchange.ticker("A").last, 100);
  EXPECT_EQ(exchange.requests(), 6u);
}

TEST(RandomWalk, IsTheSameForTheSameSeedOnly) {
  EXPECT_EQ(random_walk("A", {.seed = 1}), random_walk("A", {.seed = 1}));
  EXPECT_NE(random_walk("A", {.seed = 1}), random_walk("A", {.seed = 2}));
  EXPECT_NE(random_walk("A", {.seed = 1}), random_walk("B", {.seed = 1}));
}

TEST(RandomWalk, EveryCandleIsPossible) {
  const auto candles = random_walk("A", {.count = 5000});
  double last = candles.front().open;
  for (const auto& candle : candles) {
    EXPECT_LE(candle.low, std::min(candle.open, candle.close));
    EXPECT_GE(candle.high, std::max(candle.open, candle.close));
    EXPECT_GT(candle.low, 0);
    EXPECT_EQ(candle.open, last);
    last = candle.close;
  }
}

TEST(Market, KeepsTheLastCandleBack) {
  CandleStore store{":memory:"};
  const auto market = load_market(options_of({"--symbols", "A,B", "--candles-per-symbol", "30"}), store);
  EXPECT_EQ(market.symbols, (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(market.stored, 58u);
  const auto candles = store.recent_candles("A", market.interval);
  EXPECT_EQ(candles.size(), 29u);
  EXPECT_EQ(market.upcoming.at("A").open, candles.back().close);
}

TEST(TradingOptions, ReadsBothSpellings) {
  const auto options = options_of({"--seed=7", "--latency", "0", "--database", "x.db", "--symbols=A,B,A"});
  EXPECT_EQ(options.seed, 7u);
  EXPECT_EQ(options.latency, 0ms);
  EXPECT_EQ(options.database, "x.db");
  EXPECT_EQ(options.symbols, (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(options_of({"--candles", "dir/BTCUSDT.csv"}).symbol, "BTCUSDT");
  EXPECT_EQ(options_of({}).symbols.size(), 3u);
}

TEST(TradingOptions, TheLastOfSeveralCounts) {
  EXPECT_EQ(options_of({"--seed", "7", "--seed", "8"}).seed, 8u);
  EXPECT_EQ(options_of({"--symbols", "A", "--symbols", "B,C"}).symbols, (std::vector<std::string>{"B", "C"}));
}

TEST(TradingOptions, TheFileWinsOverARandomWalkOfItsName) {
  const auto options = options_of({"--candles", "x.csv", "--symbol", "A", "--symbols", "A,B"});
  EXPECT_EQ(options.symbol, "A");
  EXPECT_EQ(options.symbols, (std::vector<std::string>{"B"}));
}

TEST(TradingOptions, HelpNamesEveryOption) {
  const auto help = options_of({"--help"}).help;
  for (const char* option : {"--candles FILE", "--symbol NAME", "--symbols A,B,C", "--candles-per-symbol N", "--seed N",
                             "--database FILE", "--latency MS", "--help", "DSTA_CACHE_URL", "Exit code"}) {
    EXPECT_THAT(help, HasSubstr(option));
  }
  EXPECT_EQ(options_of({}).help, "");
}

TEST(TradingOptions, ErrorsSayWhatIsWrongAndWhereTheHelpIs) {
  const auto error = [](const char* words) {
    return AllOf(StartsWith(words), EndsWith("\nRun with --help for more information."));
  };
  EXPECT_THAT(usage_error_of({"--sead", "7"}),
              AllOf(error("The following argument"), HasSubstr("not expected: "), HasSubstr("--sead")));
  EXPECT_THAT(usage_error_of({"file.csv"}), error("The following argument was not expected: file.csv"));
  EXPECT_THAT(usage_error_of({"--seed"}), error("--seed: 1 required N missing"));
  EXPECT_THAT(usage_error_of({"--seed="}), error("--seed: "));
  EXPECT_THAT(usage_error_of({"--database", ""}), error("--database: needs a value"));
  EXPECT_THAT(usage_error_of({"--symbols", "A,,B"}),
              error("--symbols: an empty name; write --symbols BTCUSDT,ETHUSDT"));
  EXPECT_THAT(usage_error_of({"--symbol", "A"}), error("--symbol requires --candles"));
}

TEST(TradingOptions, ANumberIsWithinItsRange) {
  const auto error = [](const char* words, const char* least, const char* most) {
    return AllOf(StartsWith(words), HasSubstr(least), HasSubstr(most));
  };
  for (const char* latency : {"-1", "60001", "20ms", "1.5", "99999999999999999999"}) {
    EXPECT_THAT(usage_error_of({"--latency", latency}),
                error(fmt::format("--latency: Value {} not in range", latency).c_str(), "0", "60000"));
  }
  for (const char* seed : {"-1", "9223372036854775808", "99999999999999999999", "x"}) {
    EXPECT_THAT(usage_error_of({"--seed", seed}),
                error(fmt::format("--seed: Value {} not in range", seed).c_str(), "0", "9223372036854775807"));
  }
  for (const char* count : {"26", "1000001"}) {
    EXPECT_THAT(usage_error_of({"--candles-per-symbol", count}),
                error(fmt::format("--candles-per-symbol: Value {} not in range", count).c_str(), "27", "1000000"));
  }
  EXPECT_EQ(options_of({"--candles-per-symbol", "27", "--latency=60000"}).latency, 60s);
}

}  // namespace
}  // namespace trading
