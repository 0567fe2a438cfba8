#include "options.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <sstream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "market.hpp"

namespace trading {
namespace {

constexpr const char* kDescription =
    "A market-data service in front of SQLite and a (simulated) exchange, cached by dsta::cache.";
constexpr const char* kFooter =
    R"(DSTA_CACHE_URL or REDIS_URL names the cache server (redis://host:6379/0); without one the cache lives in this process.
Exit code: 0 every check passed, 1 one failed or an error, 2 a wrong command line.)";
constexpr const char* kDefaultSymbols = "BTCUSDT,ETHUSDT,BNBUSDT";
/// CLI11 2.1 turns what is negative or does not fit into a number above this one.
constexpr std::uint64_t kLargestSeed = std::numeric_limits<std::int64_t>::max();

/// The error names the range; in the help it would be in the way.
template <class Number>
CLI::Validator in_range(Number least, Number most) {
  return CLI::Range(least, most).description("");
}

CLI::Validator not_empty() {
  return {[](const std::string& text) { return text.empty() ? "needs a value" : ""; }, ""};
}

/// `A,B,A` → A, B
std::vector<std::string> names(const std::string& list) {
  if (fmt::format(",{},", list).find(",,") != std::string::npos) {
    throw CLI::ValidationError("--symbols", fmt::format("an empty name; write --symbols {}", kDefaultSymbols));
  }
  std::vector<std::string> result;
  std::istringstream in{list};
  for (std::string name; std::getline(in, name, ',');) {
    if (std::find(result.begin(), result.end(), name) == result.end()) result.push_back(name);
  }
  return result;
}

void add_options(CLI::App& app, Options& options) {
  app.set_help_flag("--help", "this text");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  auto* candles = app.add_option("--candles", options.candles,
                                 "a candle CSV: a kline export (12 columns), or a header with Date, Close and\n"
                                 "perhaps Open, High, Low, Volume; without it candles are a seeded random walk")
                      ->type_name("FILE")
                      ->check(not_empty());
  app.add_option("--symbol", options.symbol, "the symbol of that file; without it the file's name")
      ->type_name("NAME")
      ->check(not_empty())
      ->needs(candles);
  app.add_option_function<std::string>(
         "--symbols", [&](const std::string& list) { options.symbols = names(list); },
         "random-walk symbols; with --candles there are none unless named here")
      ->type_name("A,B,C")
      ->default_str(kDefaultSymbols);
  app.add_option("--candles-per-symbol", options.candles_per_symbol, "length of the random walk")
      ->type_name("N")
      ->check(in_range(kFewestCandles, std::size_t{1'000'000}))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of the random walk")
      ->type_name("N")
      ->check(in_range(std::uint64_t{0}, kLargestSeed))
      ->capture_default_str();
  app.add_option("--database", options.database, "SQLite file; a symbol's candles in it are replaced")
      ->type_name("FILE")
      ->check(not_empty())
      ->capture_default_str();
  app.add_option_function<int>(
         "--latency", [&](int latency) { options.latency = std::chrono::milliseconds{latency}; },
         "how long the simulated exchange takes to answer")
      ->type_name("MS")
      ->check(in_range(0, 60'000))
      ->default_str(std::to_string(options.latency.count()));
  app.footer(kFooter);
}

void complete(Options& options) {
  if (options.candles.empty()) {
    if (options.symbols.empty()) options.symbols = names(kDefaultSymbols);
    return;
  }
  if (options.symbol.empty()) options.symbol = std::filesystem::path{options.candles}.stem().string();
  std::erase(options.symbols, options.symbol);  // the file's candles win over a random walk of that name
}

}  // namespace

Options parse_options(int argc, const char* const* argv) {
  Options options;
  CLI::App app{kDescription, "trading"};
  add_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    options.help = app.help();
    return options;
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{}\nRun with --help for more information.", error.what()));
  }
  complete(options);
  return options;
}

}  // namespace trading
