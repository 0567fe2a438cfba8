/// Nothing is lost for lack of memory: whichever allocation of a call fails, others get their values, no lease stays,
/// and an invalidation that returned counts.
#include "allocations.hpp"
#include "rig.hpp"

namespace dsta::cache {
namespace {

using namespace testing_support;
using namespace std::chrono_literals;
using Where = Shortage::Where;
using Lasts = Shortage::Lasts;

/// A call whose allocations fail, and what must hold afterwards.
struct Operation {
  std::string name;
  std::function<void(Rig&, int)> prepare, call;
  std::function<std::string(Rig&, int)> ask;
  /// What may be got afterwards: `returned` says that the call did not throw.
  std::function<bool(Rig&, int, const std::string& got, bool returned)> right;
  /// The same of another manager, within two seconds; none where nothing is promised.
  std::function<std::string(Rig&, int)> ask_peer = {};
};

int next_argument() {
  static std::atomic<int> last{0};
  return last.fetch_add(1) % (ValueSource::kArguments / 2);
}
constexpr int kOther = ValueSource::kArguments / 2;

std::string call_function(Rig& rig, int x) { return rig.function.call(x); }
std::string call_peer(Rig& rig, int x) { return rig.peers_function.call(x); }
bool is_right(Rig& rig, int x, const std::string& got, bool) { return got == rig.right(x); }
bool is_new_or_unchanged(Rig& rig, int x, const std::string& got, bool returned) {
  return got == rig.right(x) || (!returned && got == rig.before(x));
}
/// A value that could not be stored at the server is handed out, as when the server does not answer.
bool is_new_or_not_shared(Rig& rig, int x, const std::string& got, bool returned) {
  return is_new_or_unchanged(rig, x, got, returned && rig.backend == Backend::memory);
}
void nothing(Rig&, int) {}
void fill(Rig& rig, int x) { (void)rig.function.call(x); }
void fill_and_change(Rig& rig, int x) {
  (void)rig.function.call(x);
  rig.source->change(x);
}

std::vector<Operation> operations_of_functions() {
  return {
      {"cold call", nothing, [](Rig& rig, int x) { (void)rig.function.call(x); }, call_function, is_right},
      {"hit", fill, [](Rig& rig, int x) { (void)rig.function.call(x); }, call_function, is_right},
      {"peek", fill, [](Rig& rig, int x) { (void)rig.function.peek(x); }, call_function, is_right},
      {"refresh", fill_and_change, [](Rig& rig, int x) { (void)rig.function.refresh(x); }, call_function,
       is_new_or_not_shared},
      {"many, cold", nothing, [](Rig& rig, int x) { rig.function.many(x, x + kOther); }, call_function, is_right},
      {"many, the second", nothing, [](Rig& rig, int x) { rig.function.many(x + kOther, x); }, call_function, is_right},
      {"many, kept", fill, [](Rig& rig, int x) { rig.function.many(x, x + kOther); },
       [](Rig& rig, int x) {
         return rig.function.call(x + kOther) == rig.right(x + kOther) ? call_function(rig, x) : "wrong";
       },
       is_right},
      {"put", fill_and_change, [](Rig& rig, int x) { rig.function.put(x); }, call_function, is_new_or_unchanged},
      {"invalidate", fill_and_change, [](Rig& rig, int x) { rig.function.invalidate(x); }, call_function,
       is_new_or_unchanged, call_peer},
      {"invalidate_matching", fill_and_change, [](Rig& rig, int x) { rig.function.invalidate_matching(x); },
       call_function, is_new_or_unchanged, call_peer},
      {"cache_clear", fill_and_change, [](Rig& rig, int) { rig.function.clear(); }, call_function, is_new_or_unchanged,
       call_peer},
      {"flush_all", fill_and_change, [](Rig& rig, int) { rig.cache->flush_all(); }, call_function, is_new_or_unchanged,
       call_peer},
      {"wrapping once more", fill, [](Rig& rig, int) { (void)make_function(*rig.cache, rig.kind + "2", rig.source); },
       call_function, is_right},
  };
}

EntryOptions by_hand() { return {.ttl = 60s, .prefix = "by-hand-with-a-long-prefix"}; }

void keep_value(Rig& rig, int x) {
  rig.key = "a key that is long enough to need memory " + std::to_string(x);
  rig.tag = "a tag that is long enough to need memory:" + std::to_string(x);
  rig.pattern = by_hand().prefix + ":*memory " + std::to_string(x);
  rig.keys = {rig.key, rig.key + " and its neighbour"};
  EntryOptions options = by_hand();
  options.tags = {rig.tag};
  rig.items.clear();
  for (const auto& key : rig.keys) {
    rig.cache->set(key, rig.source->value(x), options);
    rig.items.emplace_back(key, rig.source->value(x + kOther));
  }
  rig.text = rig.source->value(x + kOther);
}
std::string get_value(Rig& rig, int) { return rig.cache->get(rig.key, by_hand()).value_or("none"); }
std::string get_of_peer(Rig& rig, int x) {
  return rig.peer->get("a key that is long enough to need memory " + std::to_string(x), by_hand()).value_or("none");
}
bool is_kept(Rig& rig, int x, const std::string& got, bool) { return got == rig.source->value(x); }
bool is_set(Rig& rig, int x, const std::string& got, bool returned) {
  return got == rig.text || (!returned && (got == rig.source->value(x) || got == "none"));
}
bool is_gone(Rig& rig, int x, const std::string& got, bool returned) {
  return got == "none" || (!returned && got == rig.source->value(x));
}
void demand(SetResult result) {
  if (result != SetResult::stored) throw LoadError("not stored");
}

std::vector<Operation> operations_by_hand() {
  const auto get = get_value;
  return {
      {"get", keep_value, [](Rig& rig, int) { (void)rig.cache->get(rig.key, by_hand()); }, get, is_kept},
      {"get of nothing", keep_value, [](Rig& rig, int) { (void)rig.cache->get("another key, long enough", by_hand()); },
       get, is_kept},
      {"lookup", keep_value, [](Rig& rig, int) { (void)rig.cache->lookup(rig.key, by_hand()); }, get, is_kept},
      {"exists", keep_value, [](Rig& rig, int) { (void)rig.cache->exists(rig.key, by_hand()); }, get, is_kept},
      {"get_ttl", keep_value, [](Rig& rig, int) { (void)rig.cache->get_ttl(rig.key, by_hand()); }, get, is_kept},
      {"get_many", keep_value, [](Rig& rig, int) { (void)rig.cache->get_many(rig.keys, by_hand()); }, get, is_kept},
      {"set", keep_value, [](Rig& rig, int) { demand(rig.cache->set(rig.key, rig.text, by_hand())); }, get, is_set},
      {"set_many", keep_value,
       [](Rig& rig, int) {
         for (const auto result : rig.cache->set_many(rig.items, by_hand())) demand(result);
       },
       get, is_set},
      {"get_or_load", keep_value,
       [](Rig& rig, int) {
         rig.key += " that nobody has loaded";
         (void)rig.cache->get_or_load(
             rig.key, [&] { return rig.text; }, by_hand());
       },
       [](Rig& rig, int) {
         return rig.cache->get_or_load(
             rig.key, [&] { return rig.text; }, by_hand());
       },
       [](Rig& rig, int x, const std::string& got, bool) { return got == rig.text || got == rig.source->value(x); }},
      {"increment", keep_value, [](Rig& rig, int) { (void)rig.cache->increment(rig.tag, 1, by_hand()); },
       [](Rig& rig, int) { return std::to_string(rig.cache->increment(rig.tag, 1, by_hand()).value_or(-1)); },
       [](Rig&, int, const std::string& got, bool returned) { return got == "2" || (!returned && got == "1"); }},
      {"del", keep_value, [](Rig& rig, int) { (void)rig.cache->del(rig.key, by_hand()); }, get, is_gone, get_of_peer},
      {"del_many", keep_value, [](Rig& rig, int) { (void)rig.cache->del_many(rig.keys, by_hand()); }, get, is_gone,
       get_of_peer},
      {"delete_pattern", keep_value, [](Rig& rig, int) { (void)rig.cache->delete_pattern(rig.pattern); }, get, is_gone,
       get_of_peer},
      {"invalidate_tag", keep_value, [](Rig& rig, int) { rig.cache->invalidate_tag(rig.tag); }, get, is_gone,
       get_of_peer},
      {"invalidate_tag, expire", keep_value, [](Rig& rig, int) { rig.cache->invalidate_tag(rig.tag, TagMode::expire); },
       get, is_gone, get_of_peer},
      {"CacheInvalidator", keep_value,
       [](Rig& rig, int x) { (void)CacheInvalidator(*rig.cache).invalidate_user_session(x); }, get,
       [](Rig& rig, int x, const std::string& got, bool) {  // without memory more may go than was asked for
         return got == "none" || got == rig.source->value(x);
       }},
      {"CacheWarmer", keep_value,
       [](Rig& rig, int) {
         CacheWarmer warmer(*rig.cache);
         const auto loader = rig.cache->cached({.ttl = 60s, .prefix = "warm", .name = "up"},
                                               [](const std::string& symbol) { return symbol + symbol; });
         warmer.add_market_data("a loader", loader);
         (void)warmer.warm_market_data(rig.keys);
       },
       get, is_kept},
      {"stats", keep_value,
       [](Rig& rig, int) {
         (void)rig.cache->get_stats();
         (void)rig.cache->get_stats_by_prefix();
       },
       get, is_kept},
  };
}

/// One point of one operation. False: something hangs, and the rig is lost.
bool fail_at(const std::shared_ptr<Rig>& rig, const Operation& operation, Where where, long at, Lasts lasts,
             std::vector<int>& promised) {
  const int x = next_argument();
  operation.prepare(*rig, x);
  bool returned = true;
  std::string thrown;
  {
    Shortage shortage(where, at, lasts);
    try {
      operation.call(*rig, x);
    } catch (const std::exception& e) {
      shortage.end();
      returned = false;
      thrown = e.what();
    }
    if (where == Where::library) {
      // Until its threads have come to rest.
      long seen = -1;
      for (int quiet = 0; quiet < 4 && !(Shortage::made() >= at + 200); seen = Shortage::made()) {
        std::this_thread::sleep_for(1ms);
        quiet = seen == Shortage::made() ? quiet + 1 : 0;
      }
    }
  }
  std::string got = ask_elsewhere(rig, [&operation, x](Rig& own) { return operation.ask(own, x); });
  // What another process changes, and what is done behind, takes its time.
  const auto end = std::chrono::steady_clock::now() + 2s;
  while (where == Where::library && got != "hangs" && !operation.right(*rig, x, got, returned) &&
         std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(5ms);
    got = ask_elsewhere(rig, [&operation, x](Rig& own) { return operation.ask(own, x); });
  }
  if (!operation.right(*rig, x, got, returned)) {
    ADD_FAILURE() << operation.name << ", allocation " << at << (lasts == Lasts::on ? " and all after it" : "")
                  << ": the call " << (returned ? "returned" : "threw " + thrown)
                  << ", and another thread got: " << got;
  }
  if (returned) promised.push_back(x);
  EXPECT_TRUE(got == "hangs" || eventually([&] { return rig->cache->get_stats().pending_invalidations == 0; }, 2000ms))
      << operation.name << ", allocation " << at << ": an invalidation is not confirmed";
  return got != "hangs";
}

bool fail_at_all_points(const std::shared_ptr<Rig>& rig, const Operation& operation, Where where, long most) {
  long last = 0;
  for (int n = 0; n < 2; ++n) {
    const int x = next_argument();
    operation.prepare(*rig, x);
    Shortage none(where, 0);
    operation.call(*rig, x);
    if (where == Where::library) std::this_thread::sleep_for(5ms);
    last = std::max(last, none.end());
  }
  std::vector<int> promised;
  for (const Lasts lasts : {Lasts::once, Lasts::on}) {
    for (const long at : points(last, most)) {
      if (!fail_at(rig, operation, where, at, lasts, promised)) return false;
    }
  }
  if (operation.ask_peer && rig->peer) {
    for (const int x : promised) {
      std::string got;
      const bool in_time =
          eventually([&] { return operation.right(*rig, x, got = operation.ask_peer(*rig, x), true); }, 2000ms);
      EXPECT_TRUE(in_time) << operation.name << ": another process got: " << got;
      if (!in_time) break;
    }
  }
  return true;
}

void expect_no_lease(const Rig& rig, const std::string& when) {
  if (rig.backend == Backend::memory) return;
  std::string left;
  EXPECT_TRUE(eventually([&] { return (left = leases_at_the_server()).empty(); }, 700ms)) << when << ": " << left;
}

/// Runs a test twice, and expects as many live blocks afterwards as before the second time.
template <class Body>
void expect_nothing_leaks(Body body) {
  body();
  const long before = live_blocks();
  body();
  constexpr long kSome = 8;  // of what is kept for the process
  long after = 0;
  EXPECT_TRUE(eventually([&] { return (after = live_blocks()) <= before + kSome; }, 1000ms))
      << after - before << " blocks were not freed";
}

struct Case {
  Backend backend;
  std::string kind;
};
std::string case_name(const testing::TestParamInfo<Case>& info) {
  return backend_name(info.param.backend) + "_" + info.param.kind;
}
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Backend backend : {Backend::memory, Backend::redis, Backend::two_levels}) {
    for (const auto& kind : function_kinds()) {
      if (backend == Backend::memory && kind == "raw") continue;
      all.push_back({backend, kind});
    }
  }
  return all;
}

class AllocationFailure : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (GetParam().backend != Backend::memory && !RedisServer::available()) GTEST_SKIP() << "no redis-server";
  }
  /// False: something hangs.
  static void run(const std::vector<Operation>& operations, Where where, long most) {
    if (HasFailure()) return;
    auto rig = std::make_shared<Rig>(GetParam().backend, GetParam().kind);
    for (const Operation& operation : operations) {
      // What looks at all keys makes as many allocations as there are keys.
      if (rig->backend != Backend::memory) the_server().command({"FLUSHALL"});
      if (!fail_at_all_points(rig, operation, where, most)) {
        rig = std::make_shared<Rig>(GetParam().backend, GetParam().kind);
      }
      expect_no_lease(*rig, operation.name);
    }
  }
};

TEST_P(AllocationFailure, OfACallLosesNothing) {
  expect_nothing_leaks([] { run(operations_of_functions(), Where::here, 2); });
}

TEST_P(AllocationFailure, OnTheLibrarysThreadsLosesNothing) {
  std::vector<Operation> behind;
  const std::string kind = GetParam().kind;
  if (kind == "timed" || kind == "soft") {
    behind.push_back({"call", nothing, [](Rig& rig, int x) { (void)rig.function.call(x); }, call_function, is_right});
  }
  if (kind == "ahead" || kind == "soft") {
    behind.push_back({"a refresh behind",
                      [](Rig& rig, int x) {
                        fill_and_change(rig, x);
                        std::this_thread::sleep_for(2ms);
                      },
                      [](Rig& rig, int x) { (void)rig.function.call(x); }, call_function, is_right});
  }
  if (GetParam().backend == Backend::two_levels) {
    const auto reported = [&](const char* name, std::function<void(Rig&, int)> change) {
      behind.push_back({name, fill_and_change, std::move(change), call_function, is_new_or_unchanged});
    };
    reported("a change by another process", [](Rig& rig, int x) { rig.peers_function.put(x); });
    reported("an invalidation by another process", [](Rig& rig, int x) { rig.peers_function.invalidate(x); });
    reported("a clear by another process", [](Rig& rig, int) { rig.peers_function.clear(); });
  }
  if (behind.empty()) GTEST_SKIP() << "nothing is done behind";
  run(behind, Where::library, 2);
}

INSTANTIATE_TEST_SUITE_P(Functions, AllocationFailure, testing::ValuesIn(cases()), case_name);

class AllocationFailureByHand : public AllocationFailure {};

TEST_P(AllocationFailureByHand, OfACallLosesNothing) {
  expect_nothing_leaks([] { run(operations_by_hand(), Where::here, 3); });
}

TEST_P(AllocationFailureByHand, MakingAManagerLeavesNothingBehind) {
  const Rig rig(GetParam().backend, "tagged", false);
  const auto use = [&] {
    CacheManager cache(rig.options());
    AnyFunction function = make_function(cache, "timed", rig.source);
    (void)function.call(1);
    (void)function.call(1);
    cache.on_low_hit_rate(0.5, [](const CacheStats&) {});
    cache.limit_loads("a prefix that needs memory to be kept", {.concurrent = 1, .queue = 1});
    cache.set_preset("a prefix that needs memory to be kept", {.ttl = 60s, .tags = {"a tag that needs memory, too"}});
    CacheWarmer warmer(cache);
    warmer.every(60s, [] {});
  };
  expect_nothing_leaks([&] {
    Shortage none(Where::here, 0);
    use();
    const long last = none.end();
    for (const Lasts lasts : {Lasts::once, Lasts::on}) {
      for (const long at : points(last, 12)) {
        Shortage shortage(Where::here, at, lasts);
        try {
          use();
        } catch (const std::exception&) {  // what it comes to does not matter
        }
      }
    }
    use();
  });
}

INSTANTIATE_TEST_SUITE_P(Managers, AllocationFailureByHand,
                         testing::Values(Case{Backend::memory, "tagged"}, Case{Backend::redis, "tagged"},
                                         Case{Backend::two_levels, "tagged"}),
                         case_name);

/// A function that takes the place of another must not get its values, however often it takes to wrap it.
TEST_P(AllocationFailureByHand, OfASuccessorLeavesItNoForeignValues) {
  const Rig rig(GetParam().backend, "tagged", false);
  CacheManager cache(rig.options());
  const EntryOptions options{.ttl = 60s, .prefix = "a prefix that needs memory", .name = "a name that needs memory"};
  long last = 1000;
  for (const Lasts lasts : {Lasts::once, Lasts::on}) {
    for (long at = 1; at <= last; ++at) {
      const auto wrap_old = [&] { return cache.cached(options, [](int) { return std::string("old"); }); };
      const auto wrap_new = [&] { return cache.cached(options, [](int) { return std::string("new"); }); };
      const int x = next_argument();
      EXPECT_EQ(wrap_old()(x), "old");
      Shortage shortage(Where::here, at, lasts);
      try {
        (void)wrap_new();
      } catch (const std::bad_alloc&) {
      }
      if (const long made = shortage.end(); made < at) last = made;
      EXPECT_EQ(wrap_new()(x), "new") << "allocation " << at;
    }
  }
}

/// The first thing that a thread does with the library.
TEST(AllocationFailureOfNewThreads, EndsNoProgram) {
  CacheManager cache;
  cache.set("key", 1);
  for (long at = 1; at <= 6; ++at) {
    std::vector<std::thread> threads;
    for (int n = 0; n < 8; ++n) {
      threads.emplace_back([&] {
        Shortage shortage(Where::here, at, Lasts::on);
        EXPECT_EQ(cache.get<int>("key").value_or(1), 1);
      });
      threads.back().join();
    }
  }
}

}  // namespace
}  // namespace dsta::cache
