// expect: cache_fields() is a base class's and would drop the members of this class
// lines: 50
#include <dsta/cache.hpp>

#include <string>

class Account {
 public:
  static constexpr auto cache_fields() { return dsta::cache::members<&Account::balance_>; }

 protected:
  double balance_ = 0;
};
class NamedAccount : public Account {
 public:
#ifdef DSTA_CONTROL
  static constexpr auto cache_fields() { return dsta::cache::members<&NamedAccount::balance_, &NamedAccount::owner_>; }
#endif

 private:
  std::string owner_;
};

bool set(dsta::cache::CacheManager& cache, const NamedAccount& account) {
  return cache.set("account", account) == dsta::cache::SetResult::stored;
}
