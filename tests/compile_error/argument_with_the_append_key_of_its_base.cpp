// expect: would be that of its base
// lines: 45
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

struct Instrument {
  std::string symbol;
};
inline void append_key(dsta::cache::KeyWriter& key, const Instrument& instrument) { key(instrument.symbol); }
struct Option : Instrument {
  double strike = 0;
};
#ifdef DSTA_CONTROL
inline void append_key(dsta::cache::KeyWriter& key, const Option& option) { key(option.symbol, option.strike); }
#endif

double value(const Option& option);

double wrap(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 300s, .prefix = "api"}, value);
  return f(Option{{"BTC"}, 70000});
}
