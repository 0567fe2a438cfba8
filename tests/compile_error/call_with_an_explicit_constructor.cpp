// expect: does not convert implicitly to its parameter
#include <dsta/cache.hpp>

using namespace std::chrono_literals;

struct UserId {
  explicit UserId(int number) : id(number) {}
  int id;
};
void append_key(dsta::cache::KeyWriter& key, const UserId& user) { key(user.id); }
int orders(const UserId& user);

void use(dsta::cache::CacheManager& cache) {
  auto f = cache.cached({.ttl = 60s, .prefix = "api"}, orders);
#ifdef DSTA_CONTROL
  (void)f(UserId(7));
#else
  (void)f(7);
#endif
}
