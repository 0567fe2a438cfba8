// Cached methods of a class: its objects, their names, their lifetimes.
#include <dsta/cache.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "check.hpp"

using namespace std::chrono_literals;

int requests = 0;

// [source]
class Exchange {  // the source; it does not know the cache
 public:
  explicit Exchange(std::string name) : name_(std::move(name)) {}
  const std::string& name() const { return name_; }
  double fetch_price(const std::string& symbol) const { return ++requests, static_cast<double>(symbol.size()); }

 private:
  std::string name_;
};
// [/source]

// [member]
class PriceService {
 public:
  PriceService(dsta::cache::CacheManager& cache, std::shared_ptr<const Exchange> exchange)
      : price_(cache.cached({.ttl = 60s, .prefix = "price", .name = exchange->name()},  // its name is in every key
                            [exchange](const std::string& symbol) { return exchange->fetch_price(symbol); })) {}

  double price(const std::string& symbol) const { return price_(symbol); }
  void on_trade(const std::string& symbol) const { price_.invalidate(symbol); }

 private:
  dsta::cache::cached<double(const std::string&)> price_;  // whatever the lambda's type is
};
// [/member]

// [shared]
class Registry {  // loads read it on other threads while exchanges are added
 public:
  void add(const Exchange& exchange) {
    const std::lock_guard lock(mutex_);
    exchanges_.insert_or_assign(exchange.name(), exchange);
  }
  Exchange at(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return exchanges_.at(name);
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Exchange> exchanges_;
};

class Exchanges {
 public:
  explicit Exchanges(dsta::cache::CacheManager& cache)
      : price_(cache.cached({.ttl = 60s, .prefix = "quote", .tags = {"exchange:{0}"}},
                            [all = all_](const std::string& exchange, const std::string& symbol) {
                              return all->at(exchange).fetch_price(symbol);
                            })) {}

  void add(const Exchange& exchange) { all_->add(exchange); }
  double price(const std::string& exchange, const std::string& symbol) const { return price_(exchange, symbol); }
  void forget(const std::string& exchange) const { price_.invalidate_matching(exchange); }

 private:
  std::shared_ptr<Registry> all_ = std::make_shared<Registry>();  // before price_: the lambda holds it, too
  dsta::cache::cached<double(const std::string&, const std::string&)> price_;
};
// [/shared]

int main() {
  dsta::cache::CacheManager cache;

  // [objects]
  const PriceService binance{cache, std::make_shared<Exchange>("binance")};
  const PriceService kraken{cache, std::make_shared<Exchange>("kraken")};
  check(binance.price("BTCUSDT") == 7 && binance.price("BTCUSDT") == 7 && requests == 1, "asked once");
  check(kraken.price("BTCUSDT") == 7 && requests == 2, "another object, another name: nothing is shared");
  check(cache.exists("price:binance:BTCUSDT") && cache.exists("price:kraken:BTCUSDT"), "as the keys show");

  bool refused = false;
  try {
    const PriceService twice{cache, std::make_shared<Exchange>("binance")};
  } catch (const dsta::cache::ConfigError&) {  // two functions that the cache cannot tell apart
    refused = true;
  }
  check(refused, "two objects of one name at once would share values");
  // [/objects]
  binance.on_trade("BTCUSDT");
  check(binance.price("BTCUSDT") == 7 && requests == 3, "invalidated in this object alone");

  {
    const PriceService gone{cache, std::make_shared<Exchange>("bitstamp")};
    check(gone.price("BTCUSDT") == 7 && requests == 4, "a third");
  }
  // [next]
  const PriceService next{cache, std::make_shared<Exchange>("bitstamp")};  // after the first has gone
  check(next.price("BTCUSDT") == 7 && requests == 5, "another function: it starts without the values of the first");
  // [/next]

  // [one]
  Exchanges exchanges{cache};
  exchanges.add(Exchange("binance"));
  exchanges.add(Exchange("kraken"));
  check(exchanges.price("binance", "ETHUSDT") == 7 && exchanges.price("kraken", "ETHUSDT") == 7 && requests == 7,
        "the object is an argument");
  exchanges.forget("kraken");
  check(exchanges.price("binance", "ETHUSDT") == 7 && requests == 7, "so each object can be invalidated separately");
  // [/one]

  // [handle]
  std::map<std::string, dsta::cache::cached<double(const std::string&)>> sources;
  const auto half = [](const std::string& symbol) { return static_cast<double>(symbol.size()) / 2; };
  sources.emplace("half", cache.cached({.ttl = 5s, .prefix = "half"}, half));
  sources.emplace("full", cache.cached({.ttl = 5s, .prefix = "full"}, [](std::string s) { return double(s.size()); }));
  check(sources.at("half")("BTCUSDT") == 3.5 && sources.at("full").peek("BTCUSDT") == std::nullopt, "one type for all");
  // [/handle]

  // [later]
  struct Feed {
    std::optional<dsta::cache::cached<double(const std::string&)>> price;  // made later
  };
  Feed feed;
  feed.price = sources.at("half");
  sources.insert_or_assign("half", cache.cached({.ttl = 5s, .prefix = "quarter"}, [](const std::string& symbol) {
    return static_cast<double>(symbol.size()) / 4;
  }));
  const std::vector<dsta::cache::cached<double(const std::string&)>> list{*feed.price, sources.at("half")};
  check(list[0]("BTCUSDT") == 3.5 && list[1]("BTCUSDT") == 1.75, "a handle that was copied is the wrapper it was");
  // [/later]
}
