// Many values at once: one request for all quotes that are missing, and the manager's batches by key.
#include <dsta/cache.hpp>

#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "check.hpp"

using namespace std::chrono_literals;

/// Stands for an exchange that takes a list of symbols in one request.
struct Exchange {
  double quote(const std::string& symbol) { return quotes({symbol}).at(symbol); }
  std::map<std::string, double> quotes(const std::vector<std::string>& symbols) {
    ++requests;
    std::map<std::string, double> found;
    for (const auto& symbol : symbols) {
      if (const auto listed = prices.find(symbol); listed != prices.end()) found.insert(*listed);
    }
    return found;
  }
  std::map<std::string, double> prices{{"BTCUSDT", 64000.5}, {"ETHUSDT", 3000.25}, {"SOLUSDT", 140.0}};
  int requests = 0;
};

int main() {
  dsta::cache::CacheManager cache;
  Exchange exchange;

  // [bulk_loader]
  auto quote =
      cache.cached({.ttl = 60s, .prefix = "quote"}, [&](const std::string& symbol) { return exchange.quote(symbol); })
          .bulk_loader([&](const std::vector<std::string>& symbols) { return exchange.quotes(symbols); });
  quote("BTCUSDT");
  const auto found = quote.many({"BTCUSDT", "ETHUSDT", "NOSUCH", "SOLUSDT", "ETHUSDT"});
  check(exchange.requests == 2, "one request for BTCUSDT, one for the three others");
  check(found.size() == 5 && found[0] == 64000.5 && found[4] == 3000.25, "an outcome for each item, in their order");
  check(quote("SOLUSDT") == 140.0 && exchange.requests == 2, "single calls find what a batch loaded");
  // [/bulk_loader]

  // [outcome]
  check(found[2].missing() && found[2].value_or(0) == 0, "the exchange does not know it");
  double sum = 0;
  for (const dsta::cache::Outcome<double>& outcome : found) {
    if (outcome) sum += *outcome;
  }
  check(sum == 64000.5 + 3000.25 + 140.0 + 3000.25, "a value, or missing, or the exception of its load");
  // [/outcome]

  // [arguments]
  using Range = std::tuple<std::string, int>;
  auto average =
      cache.cached({.ttl = 60s, .prefix = "average"}, [](const std::string&, int days) { return days * 1.5; })
          .bulk_loader([](const std::vector<Range>& wanted) {
            std::vector<dsta::cache::Outcome<double>> answers;  // one for each, in their order
            for (const auto& [symbol, days] : wanted) {
              if (days > 0) {
                answers.emplace_back(days * 1.5);
              } else {
                answers.emplace_back(std::make_exception_ptr(std::invalid_argument("no days")));
              }
            }
            return answers;
          });
  const auto averages = average.many(std::vector<Range>{{"BTCUSDT", 20}, {"BTCUSDT", 0}});
  check(averages[0] == 30.0 && averages[1].error(), "an error affects only its own item");
  // [/arguments]

  // [manager]
  const std::vector<std::pair<std::string, double>> limits{{"BTCUSDT", 2.5}, {"ETHUSDT", 40.0}};
  for (const auto& stored : cache.set_many(limits, {.ttl = 1h, .prefix = "limit"})) check(bool(stored), "stored");
  const auto held = cache.get_many<double>({"ETHUSDT", "SOLUSDT", "BTCUSDT"}, {.prefix = "limit"});
  check(held[0] == 40.0 && !held[1] && held[2] == 2.5, "in the order of the keys, nullopt where there is none");
  check(cache.del_many({"BTCUSDT", "ETHUSDT", "SOLUSDT"}, {.prefix = "limit"}) == 2, "how many there were");
  // [/manager]
}
