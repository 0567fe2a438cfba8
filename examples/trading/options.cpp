#include "options.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "market.hpp"

namespace trading {
namespace {

constexpr std::string_view kHelp =
    R"(A market-data service in front of SQLite and a (simulated) exchange, cached by dsta::cache.

  --candles FILE            a candle CSV: a kline export (12 columns), or a header with Date, Close and
                            perhaps Open, High, Low, Volume; without it candles are a seeded random walk
  --symbol NAME             the symbol of that file (default: the file's name)
  --symbols A,B,C           random-walk symbols (default: BTCUSDT,ETHUSDT,BNBUSDT; none with --candles)
  --candles-per-symbol N    length of the random walk (default 300)
  --seed N                  of the random walk (default 42)
  --database FILE           SQLite file (default :memory:); a symbol's candles in it are replaced
  --latency MS              how long the simulated exchange takes to answer (default 20)
  --help                    this text

DSTA_CACHE_URL or REDIS_URL names the cache server (redis://host:6379/0); without one the cache lives in this process.
Exit code: 0 every check passed, 1 one failed or an error, 2 a wrong command line.
)";

constexpr std::string_view kKnown =
    "--candles, --symbol, --symbols, --candles-per-symbol, --seed, --database, --latency, --help";

std::uint64_t number(std::string_view flag, std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    throw UsageError(fmt::format("{}: '{}' is not a whole number from {} to {}", flag, text, least, most));
  }
  return value;
}

std::vector<std::string> names(std::string_view flag, std::string_view text) {
  std::vector<std::string> result;
  while (true) {
    const auto comma = text.find(',');
    const std::string name{text.substr(0, comma)};
    if (name.empty()) throw UsageError(fmt::format("{}: an empty name; write {} BTCUSDT,ETHUSDT", flag, flag));
    if (std::find(result.begin(), result.end(), name) == result.end()) result.push_back(name);
    if (comma == std::string_view::npos) return result;
    text.remove_prefix(comma + 1);
  }
}

void set(Options& options, std::string_view flag, std::string_view value) {
  if (value.empty()) throw UsageError(fmt::format("{} needs a value", flag));
  if (flag == "--candles") {
    options.candles = value;
  } else if (flag == "--symbol") {
    options.symbol = value;
  } else if (flag == "--symbols") {
    options.symbols = names(flag, value);
  } else if (flag == "--database") {
    options.database = value;
  } else if (flag == "--seed") {
    options.seed = number(flag, value, 0, UINT64_MAX);
  } else if (flag == "--candles-per-symbol") {
    options.candles_per_symbol = static_cast<std::size_t>(number(flag, value, kFewestCandles, 1'000'000));
  } else if (flag == "--latency") {
    options.latency = std::chrono::milliseconds{number(flag, value, 0, 60'000)};
  }
}

bool is_known(std::string_view flag) {
  std::string_view rest = kKnown;
  while (!rest.empty()) {
    const auto comma = rest.find(", ");
    if (rest.substr(0, comma) == flag) return true;
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 2);
  }
  return false;
}

void complete(Options& options) {
  if (options.candles.empty()) {
    if (!options.symbol.empty())
      throw UsageError("--symbol names the symbol of --candles FILE; for a random walk use --symbols");
    if (options.symbols.empty()) options.symbols = {"BTCUSDT", "ETHUSDT", "BNBUSDT"};
    return;
  }
  if (options.symbol.empty()) options.symbol = std::filesystem::path{options.candles}.stem().string();
  std::erase(options.symbols, options.symbol);  // the file's candles win over a random walk of that name
}

}  // namespace

Options parse_options(std::span<const std::string_view> arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto equals = arguments[i].find('=');
    const auto flag = arguments[i].substr(0, equals);
    if (!is_known(flag)) throw UsageError(fmt::format("unknown option '{}'; known: {}", flag, kKnown));
    if (flag == "--help") {
      options.help = true;
    } else if (equals != std::string_view::npos) {
      set(options, flag, arguments[i].substr(equals + 1));
    } else if (i + 1 < arguments.size()) {
      set(options, flag, arguments[++i]);
    } else {
      throw UsageError(fmt::format("{} needs a value", flag));
    }
  }
  complete(options);
  return options;
}

std::string_view help_text() { return kHelp; }

}  // namespace trading
