// Testing a program that uses the cache: time that moves when told, a clean cache, background work on the spot.
#include <dsta/cache.hpp>
#include <dsta/cache/testing.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "check.hpp"

using namespace std::chrono_literals;

// [service]
class PriceService {  // the cache is handed in
 public:
  PriceService(dsta::cache::CacheManager& cache, std::function<double(const std::string&)> source)
      : price_(cache.cached({.ttl = 60s, .prefix = "price", .stale_for = 5min}, std::move(source))) {}
  double price(const std::string& symbol) const { return price_(symbol); }

 private:
  dsta::cache::cached<std::function<double(const std::string&)>> price_;
};
// [/service]

int main() {
  // [fixture]
  // With GoogleTest: struct PriceTest : ::testing::Test, dsta::cache::testing::CleanCache {};
  dsta::cache::testing::CleanCache clean{{.executor = std::make_shared<dsta::cache::testing::InlineExecutor>()}};
  double now = 64000;
  int asked = 0;
  const PriceService service{clean.cache, [&](const std::string&) { return ++asked, now; }};

  check(service.price("BTCUSDT") == 64000 && service.price("BTCUSDT") == 64000 && asked == 1, "asked once");
  now = 65000;
  clean.clock->advance(60s);  // a minute passes, and the test does not wait
  check(service.price("BTCUSDT") == 64000 && asked == 2, "the stale value at once; the refresh ran inline");
  check(service.price("BTCUSDT") == 65000 && asked == 2, "and the new price is there");
  // [/fixture]

  // [fault]
  dsta::cache::testing::CleanCache outage;
  int sold = 0;
  const PriceService shop{outage.cache, [&](const std::string&) { return 10.0 * ++sold; }};
  check(shop.price("BTCUSDT") == 10 && shop.price("BTCUSDT") == 10, "cached");
  dsta::cache::testing::ServerFault fault{outage.cache};
  fault.on();  // as if the server did not answer
  check(shop.price("BTCUSDT") == 20 && shop.price("BTCUSDT") == 30, "each call asks the source; nothing throws");
  check(!outage.cache.set("k", "v") && !outage.cache.get("k") && !check_health(outage.cache).healthy,
        "nothing is stored");
  fault.off();
  check(shop.price("BTCUSDT") == 40 && shop.price("BTCUSDT") == 40, "and cached again");
  // [/fault]

  // [clock]
  auto clock = std::make_shared<dsta::cache::testing::ManualClock>();
  dsta::cache::CacheManager cache{{.clock = clock}};
  const dsta::cache::TimePoint begun = clock->now();
  cache.set("brief", 1, {.ttl = 1ms});
  clock->advance(999us);
  check(cache.exists("brief"), "not yet");
  clock->advance(1us);
  check(!cache.exists("brief") && clock->now() - begun == 1ms, "now");
  // [/clock]
}
