// Two processes and one key, case by case: a load of one is stopped at each of its steps, one of the two invalidates,
// both read at once, the load goes on, both read again. Every kind of function, every invalidation, every step.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "eventually.hpp"
#include "has_invalidated.hpp"
#include "l2/values/keyspace.hpp"
#include "name_in.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"
#include "wire_client.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using detail::Core;
using Point = Core::Point;

/// Which levels there are, and which the function uses.
enum class Levels { l2_alone, both, both_but_function_l2 };
enum class Kind { plain, tagged, adaptive, context, raw, negative, refusing, failing, bulk, limited, manual };
enum class Change {
  invalidate,
  put,
  set,
  del,
  tag_remove,
  tag_expire,
  cache_clear,
  flush_all,
  delete_pattern,
  invalidate_matching,
  increment,
  refresh,
  failing_refresh,
};
enum class Step { before_load, in_loader, before_store, before_l2_store, before_l1_store, after_store };
constexpr Step kSteps[] = {Step::before_load,     Step::in_loader,       Step::before_store,
                           Step::before_l2_store, Step::before_l1_store, Step::after_store};
Step step_at(Point point) {
  switch (point) {
    case Point::before_load:
      return Step::before_load;
    case Point::before_store:
      return Step::before_store;
    case Point::before_l2_store:
      return Step::before_l2_store;
    case Point::before_l1_store:
      return Step::before_l1_store;
    default:
      return Step::after_store;
  }
}

constexpr const char* kLevelsNames[] = {"L2", "Both", "FunctionAtL2"};
constexpr const char* kKindNames[] = {"Plain",    "Tagged",  "AdaptiveTags", "ContextTags", "Raw",   "Negative",
                                      "Refusing", "Failing", "Bulk",         "Limited",     "Manual"};
constexpr const char* kChangeNames[] = {"invalidate",
                                        "put",
                                        "set",
                                        "del",
                                        "tag_remove",
                                        "tag_expire",
                                        "cache_clear",
                                        "flush_all",
                                        "delete_pattern",
                                        "invalidate_matching",
                                        "increment",
                                        "refresh",
                                        "a refresh that fails"};
constexpr const char* kStepNames[] = {"before its load",     "in its loader",       "before it is prepared",
                                      "before its L2 store", "before its L1 store", "when stored"};

/// Stops one thread of a manager at one point of one key.
class Stop {
 public:
  explicit Stop(CacheManager& manager) {
    manager.core()->probe = [this](Point point, std::string_view key) {
      if (point == Point::before_wait) {
        count_wait(key);
      } else if (point != Point::before_queue && point != Point::unconfirmed) {
        pass(step_at(point), key);
      }
    };
  }
  void arm(Step step, std::string key) {
    const std::lock_guard lock(mutex_);
    step_ = step;
    key_ = std::move(key);
    armed_ = true;
    reached_ = open_ = false;
    waits_ = 0;
  }
  /// False: whatever `ended` is about ended first.
  bool await(const std::function<bool()>& ended) {
    std::unique_lock lock(mutex_);
    const auto patience = std::chrono::steady_clock::now() + 5s;
    while (!reached_ && !ended() && std::chrono::steady_clock::now() < patience) changed_.wait_for(lock, 1ms);
    return reached_;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    armed_ = false;
    open_ = true;
    changed_.notify_all();
  }
  /// Callers who joined a load of the key since it was armed.
  int waits() const {
    const std::lock_guard lock(mutex_);
    return waits_;
  }
  void pass(Step step, std::string_view key) {
    std::unique_lock lock(mutex_);
    if (!armed_ || step != step_ || key != key_) return;
    armed_ = false;
    reached_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  void count_wait(std::string_view key) {
    const std::lock_guard lock(mutex_);
    waits_ += key == key_;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Under mutex_.
  std::string key_;
  Step step_{};
  bool armed_ = false, reached_ = false, open_ = false;
  int waits_ = 0;
};

constexpr int kOld = 1, kNew = 2, kSet = 3, kFirst = 4, kOther = 5;
constexpr std::int64_t kStep = 16;
std::int64_t value_of(std::int64_t item, std::int64_t version) { return item * kStep + version; }

/// Loads on this thread fail.
thread_local bool loads_fail = false;
/// Not 0: the version that loads on this thread bring.
thread_local int loads_bring = 0;

/// A function of some kind in one process, all called alike.
struct Function {
  std::function<std::int64_t(std::int64_t)> call, refresh;
  std::function<void(std::int64_t)> invalidate, invalidate_matching;
  std::function<void()> clear;
  std::function<bool(std::int64_t item, std::int64_t value)> put;
  std::function<std::string(std::int64_t)> key;
};

template <class F, class ToValue, class FromValue>
Function wrapped(cached<F> f, ToValue to_value, FromValue from_value) {
  Function function;
  function.call = [=](std::int64_t item) { return from_value(item, f(item)); };
  function.refresh = [=](std::int64_t item) { return from_value(item, f.refresh(item)); };
  function.invalidate = [=](std::int64_t item) { f.invalidate(item); };
  function.invalidate_matching = [=](std::int64_t item) { f.invalidate_matching(item); };
  function.clear = [=] { f.cache_clear(); };
  function.put = [=](std::int64_t item, std::int64_t value) { return bool(f.put(item, to_value(value))); };
  function.key = [=](std::int64_t item) { return f.key_for(item); };
  return function;
}
template <class F>
Function wrapped(cached<F> f) {
  return wrapped(
      std::move(f), [](std::int64_t value) { return value; }, [](std::int64_t, std::int64_t value) { return value; });
}

std::string tag_of(std::int64_t item) { return "item:" + std::to_string(item); }

struct Interleaving : ::testing::TestWithParam<std::tuple<Levels, Kind>> {
  using Plain = std::function<std::int64_t(std::int64_t)>;
  struct Process {
    CacheManager cache;
    std::unique_ptr<Stop> stop;
    Function f;
  };

  static void TearDownTestSuite() { server.reset(); }
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
    if (!server) server = std::make_unique<RedisServer>();
    wire.emplace(WireClient::tcp(server->port()));
    static int spaces = 0;
    space = "inter" + std::to_string(++spaces);
    for (Process* process : {&a, &b}) {
      ManagerOptions options = over_redis(server->url(), has_l1(), 5s);
      options.space = space;
      process->cache = CacheManager(std::move(options));
      process->stop = std::make_unique<Stop>(process->cache);
      process->f = function_of(process->cache);
      if (kind == Kind::limited) process->cache.limit_loads("f", {.concurrent = 1});
    }
    if (!has_l1()) return;
    for (Process* process : {&a, &b}) {
      ASSERT_TRUE(eventually(
          [&] { return process->cache.set("warm", 1) && process->cache.lookup<int>("warm").source == Source::l1; }));
    }
  }
  void TearDown() override {
    a = {};
    b = {};
  }
  bool has_l1() const { return levels != Levels::l2_alone; }
  /// A value may be kept in-process.
  bool keeps() const { return levels == Levels::both && kind != Kind::raw; }
  /// Tags that a load shows only when it has ended.
  bool names_tags() const { return kind == Kind::adaptive || kind == Kind::context; }
  bool has_tags() const { return kind == Kind::tagged || names_tags(); }
  bool stores() const { return kind != Kind::refusing; }

  EntryOptions options() const {
    EntryOptions options{.ttl = 60s, .prefix = "f"};
    if (levels != Levels::both) options.level = Level::l2;
    if (kind == Kind::tagged) options.tags = {"item:{0}"};
    if (has_tags()) options.stale_for = 60s;
    if (kind == Kind::raw) options.raw = true;
    if (kind == Kind::negative) options.negative_ttl = 60s;
    return options;
  }
  /// What a function does, in the process that has this manager.
  std::int64_t read(CacheManager& cache, std::int64_t i) {
    const int version = loads_bring != 0 ? loads_bring : source.load();
    Process& here = &cache == &a.cache ? a : b;
    here.stop->pass(Step::in_loader, here.f.key(i));
    if (loads_fail) throw std::runtime_error("the source is away");
    return value_of(i, version);
  }
  Function function_of(CacheManager& cache) {
    const Plain load = [this, &cache](std::int64_t i) { return read(cache, i); };
    switch (kind) {
      case Kind::plain:
      case Kind::tagged:
      case Kind::raw:
      case Kind::failing:
      case Kind::limited:
        return wrapped(cache.cached(options(), load));
      case Kind::adaptive:
        return wrapped(cache.cached(options(), load).adaptive_tags([](std::int64_t value) {
          return std::vector<std::string>{tag_of(value / kStep)};
        }));
      case Kind::context:
        return wrapped(
            cache.cached(options(), std::function([this, &cache](std::int64_t i, LoadContext<std::int64_t>& context) {
                           context.add_tag(tag_of(i));
                           return read(cache, i);
                         })));
      case Kind::negative:
        return negative(cache);
      case Kind::refusing:
        return wrapped(cache.cached(options(), load).condition([](std::int64_t) { return false; }));
      case Kind::bulk: {
        const auto f =
            cache.cached(options(), load).bulk_loader([this, &cache](const std::vector<std::int64_t>& items) {
              std::vector<std::int64_t> values;
              for (const std::int64_t i : items) values.push_back(read(cache, i));
              return values;
            });
        Function function = wrapped(f);
        function.call = [f](std::int64_t i) { return f.many({i}).at(0).value(); };
        return function;
      }
      case Kind::manual:
        return manual(cache);
    }
    return {};
  }
  /// The old value is an empty optional, which is remembered.
  Function negative(CacheManager& cache) {
    const auto to_optional = [](std::int64_t value) {
      return value % kStep == kOld ? std::nullopt : std::optional(value);
    };
    return wrapped(cache.cached(options(), std::function([this, to_optional, &cache](std::int64_t i) {
                                  return to_optional(read(cache, i));
                                })),
                   to_optional, [](std::int64_t i, const std::optional<std::int64_t>& value) {
                     return value.value_or(value_of(i, kOld));
                   });
  }
  /// get_or_load of a key, which may be a counter as well.
  Function manual(CacheManager& cache) {
    EntryOptions own = options();
    own.prefix.clear();
    Function function;
    function.key = [](std::int64_t i) { return "manual:" + std::to_string(i); };
    function.call = [=, this, key = function.key, &cache](std::int64_t i) {
      return cache.get_or_load(
          key(i), [this, i, &cache] { return read(cache, i); }, own);
    };
    function.put = [=, key = function.key, &cache](std::int64_t i, std::int64_t value) {
      return bool(cache.set(key(i), value, own));
    };
    function.invalidate = [=, key = function.key, &cache](std::int64_t i) { cache.del(key(i), own); };
    return function;
  }

  bool applies(Change with) const {
    if (with == Change::tag_remove || with == Change::tag_expire) return has_tags();
    // A counter takes the place of a value that is no 64-bit integer, or that its tags keep from being one: not here.
    if (with == Change::increment) return kind != Kind::negative;
    const bool of_function = with == Change::invalidate_matching || with == Change::cache_clear ||
                             with == Change::refresh || with == Change::failing_refresh;
    return kind != Kind::manual || !of_function;
  }
  EntryOptions by_key() const {
    EntryOptions options{.ttl = 60s, .raw = kind == Kind::raw};
    if (levels != Levels::both) options.level = Level::l2;
    return options;
  }

  // --- one case

  void change_by(Process& process);
  void expect_read(Process& process, const char* when, const char* who);
  bool may_wait(const Process& reader) const {
    if (names_tags() && (change == Change::tag_remove || change == Change::tag_expire)) return true;
    // It has brought nothing that could be kept: the load is as good as before.
    if (change == Change::failing_refresh || (change == Change::refresh && !stores())) return true;
    // Its place is taken by the load that is stopped.
    return kind == Kind::limited && &reader == &a && runs_loader();
  }
  bool allowed(std::int64_t value) const {
    if (old_may_stand() && value == value_of(item, kOld)) return true;
    return value == expected;
  }
  bool runs_loader() const { return step == Step::before_load || step == Step::in_loader; }
  /// What the load that is stopped brings. One that has not read the source yet may bring what is new.
  bool brings(std::int64_t value) const {
    return value == value_of(item, kOld) || (step == Step::before_load && value == value_of(item, kNew));
  }
  bool old_may_stand() const {
    // A refresh whose value is not kept leaves nothing at L2 by which a load that began before it would be known.
    const bool kept_nothing = change == Change::refresh && !stores();
    return change == Change::tag_expire || change == Change::failing_refresh || kept_nothing;
  }
  void interleave(Process& by);
  void expect_no_lease();
  void await_report() {
    if (!keeps()) return;
    ASSERT_TRUE(has_invalidated(a.cache, b.cache));
    ASSERT_TRUE(has_invalidated(b.cache, a.cache));
  }
  friend std::ostream& operator<<(std::ostream& out, const Interleaving& test) {
    return out << name_in(kChangeNames, test.change) << " by " << (test.by_a ? "the same process" : "the other") << " "
               << name_in(kStepNames, test.step);
  }

  const Levels levels = std::get<Levels>(GetParam());
  const Kind kind = std::get<Kind>(GetParam());
  static inline std::unique_ptr<RedisServer> server;
  std::optional<WireClient> wire;
  std::string space;
  std::atomic<int> source{kOld};  ///< the version that loads find now
  Process a, b;
  // Of the case.
  Change change{};
  Step step{};
  bool by_a = false;
  std::int64_t item = 0, expected = 0;
};

void Interleaving::change_by(Process& process) {
  source = kNew;
  expected = value_of(item, kNew);
  const std::string key = process.f.key(item);
  switch (change) {
    case Change::invalidate:
      return process.f.invalidate(item);
    case Change::put:
      EXPECT_TRUE(process.f.put(item, value_of(item, kSet))) << *this;
      expected = value_of(item, kSet);
      return;
    case Change::set:
      if (kind == Kind::negative) {
        EXPECT_TRUE(process.cache.set(key, std::optional(value_of(item, kSet)), by_key())) << *this;
      } else {
        EXPECT_TRUE(process.cache.set(key, value_of(item, kSet), by_key())) << *this;
      }
      expected = value_of(item, kSet);
      return;
    case Change::del:
      process.cache.del(key, by_key());
      return;
    case Change::tag_remove:
      return process.cache.invalidate_tag(tag_of(item));
    case Change::tag_expire:
      return process.cache.invalidate_tag(tag_of(item), TagMode::expire);
    case Change::cache_clear:
      return process.f.clear();
    case Change::flush_all:
      return process.cache.flush_all();
    case Change::delete_pattern:
      process.cache.delete_pattern(key);
      return;
    case Change::invalidate_matching:
      return process.f.invalidate_matching(item);
    case Change::increment:
      expected = process.cache.increment(key, 7, by_key()).value_or(-1);
      EXPECT_TRUE(expected == 7 || expected == value_of(item, kOld) + 7) << expected << ", " << *this;
      return;
    case Change::refresh:
      EXPECT_EQ(process.f.refresh(item), expected) << *this;
      return;
    case Change::failing_refresh:
      loads_fail = true;
      EXPECT_THROW(process.f.refresh(item), std::runtime_error) << *this;
      return;
  }
}

void Interleaving::expect_read(Process& process, const char* when, const char* who) {
  try {
    const std::int64_t value = process.f.call(item);
    EXPECT_TRUE(allowed(value)) << who << " read " << value - item * kStep << " " << when << ", " << *this;
  } catch (const std::exception& e) {
    // It may have joined the load that fails.
    EXPECT_TRUE(kind == Kind::failing && old_may_stand())
        << who << " got '" << e.what() << "' " << when << ", " << *this;
  }
}

void Interleaving::expect_no_lease() {
  const detail::KeySpace keys(space);
  const std::string name = a.f.key(item);
  const auto is_lease = [&] {
    const std::string entry = wire->call({"GET", keys.entry(name)});
    return entry.size() > 5 && entry.starts_with("\301\377\325") && entry[4] == 2;
  };
  const auto leases = [&] {
    const std::string of_refreshes = keys.head() + "\x01lease:*";
    return wire->call({"EXISTS", keys.raw_lease(name)}) != "0" ||
           wire->call({"EVAL", "return #redis.call('KEYS', ARGV[1])", "0", of_refreshes}) != "0" || is_lease();
  };
  // That of a refresh stays for a second after it; what nobody gives back stays for three.
  EXPECT_TRUE(eventually([&] { return !leases(); }, 2s)) << *this;
}

void Interleaving::interleave(Process& by) {
  constexpr auto kPrompt = 5s;  // a busy machine
  ++item;
  by_a = &by == &a;
  source = kOld;
  a.stop->arm(step, a.f.key(item));
  const auto ready = [](auto& future, std::chrono::milliseconds patience = 0ms) {
    return future.wait_for(patience) == std::future_status::ready;
  };
  auto load = std::async(std::launch::async, [&] {
    loads_fail = kind == Kind::failing;
    return a.f.call(item);
  });
  const bool stopped = a.stop->await([&] { return ready(load); });
  EXPECT_TRUE(stopped) << "it never came to its step: " << *this;
  std::future<std::int64_t> joiner;
  if (runs_loader()) {
    joiner = std::async(std::launch::async, [&] { return a.f.call(item); });
    eventually([&] { return a.stop->waits() > 0 || ready(joiner); }, 20ms);
  }

  // A change that must wait for the load would hold the test up.
  auto changed = std::async(std::launch::async, [&] { change_by(by); });
  const bool place_taken = kind == Kind::limited && by_a && runs_loader() &&
                           (change == Change::refresh || change == Change::failing_refresh);
  if (!place_taken) {
    EXPECT_TRUE(ready(changed, kPrompt)) << "the change waited for the load: " << *this;
  } else {
    a.stop->open();
  }
  changed.wait();
  await_report();
  std::future<void> readers[] = {
      std::async(std::launch::async, [&] { expect_read(a, "at once", "the loading process"); }),
      std::async(std::launch::async, [&] { expect_read(b, "at once", "the other process"); })};
  EXPECT_TRUE(may_wait(a) || ready(readers[0], kPrompt)) << "the loading process waited, " << *this;
  EXPECT_TRUE(may_wait(b) || ready(readers[1], kPrompt)) << "the other process waited, " << *this;
  a.stop->open();

  const auto begun = std::chrono::steady_clock::now();
  if (kind == Kind::failing) {
    EXPECT_THROW(load.get(), std::runtime_error) << *this;
  } else {
    const std::int64_t value = load.get();
    EXPECT_TRUE(brings(value)) << "the caller that loads got " << value - item * kStep << ", " << *this;
  }
  for (auto& reader : readers) reader.get();
  if (joiner.valid()) {
    try {
      const std::int64_t value = joiner.get();
      EXPECT_TRUE(brings(value) || allowed(value)) << value << ", " << *this;
    } catch (const std::exception&) {
      EXPECT_EQ(kind, Kind::failing) << *this;
    }
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, kPrompt) << *this;
  await_report();
  expect_read(a, "afterwards", "the loading process");
  expect_read(b, "afterwards", "the other process");
  if (kind != Kind::negative) {
    EntryOptions at_l2 = by_key();
    at_l2.level = Level::l2;
    const auto there = b.cache.get<std::int64_t>(b.f.key(item), at_l2);
    EXPECT_TRUE(!there || allowed(*there)) << "at L2 is " << *there - item * kStep << ", " << *this;
    const bool stays = stores() || change == Change::set || change == Change::put;
    EXPECT_TRUE(there || !stays) << "nothing is at L2, " << *this;
  }
  expect_no_lease();
}

TEST_P(Interleaving, WhatBeginsAfterAChangeReadsNoOlderLoad) {
  for (int of = 0; of <= static_cast<int>(Change::failing_refresh); ++of) {
    change = static_cast<Change>(of);
    if (!applies(change)) continue;
    for (const Step at : kSteps) {
      step = at;
      interleave(a);
      interleave(b);
      if (HasFailure()) return;  // each case that waits in vain takes seconds
    }
  }
}

/// Two refreshes, one of each process, in every order of their steps; both bring a value, or one fails.
struct TwoRefreshes : Interleaving {
  enum class Outcome { both, a_fails, b_fails };
  std::future<std::int64_t> begin(Process& process, Step at, int version, bool fails);
  void cross(bool there_before, Step step_a, Step step_b, bool a_first, Outcome outcome);
};

std::future<std::int64_t> TwoRefreshes::begin(Process& process, Step at, int version, bool fails) {
  process.stop->arm(at, process.f.key(item));
  auto refresh = std::async(std::launch::async, [this, &process, version, fails] {
    loads_bring = version;
    loads_fail = fails;
    return process.f.refresh(item);
  });
  EXPECT_TRUE(process.stop->await([&] { return refresh.wait_for(0s) == std::future_status::ready; }));
  return refresh;
}

void TwoRefreshes::cross(bool there_before, Step step_a, Step step_b, bool a_first, Outcome outcome) {
  SCOPED_TRACE(::testing::Message() << (there_before ? "" : "not ") << "there before; the first process stopped "
                                    << name_in(kStepNames, step_a) << ", the other " << name_in(kStepNames, step_b)
                                    << ", ends " << (a_first ? "first" : "last") << ", " << static_cast<int>(outcome));
  ++item;
  source = kFirst;
  if (there_before) {
    EXPECT_EQ(a.f.call(item), value_of(item, kFirst));
    EXPECT_EQ(b.f.call(item), value_of(item, kFirst));
  }
  const bool a_fails = outcome == Outcome::a_fails, b_fails = outcome == Outcome::b_fails;
  auto of_a = begin(a, step_a, kNew, a_fails);
  auto of_b = begin(b, step_b, kSet, b_fails);
  const auto end = [&](Process& process, std::future<std::int64_t>& refresh, int version, bool fails) {
    process.stop->open();
    if (fails) {
      EXPECT_THROW(refresh.get(), std::runtime_error);
    } else {
      EXPECT_EQ(refresh.get(), value_of(item, version));
    }
  };
  if (a_first) end(a, of_a, kNew, a_fails);
  end(b, of_b, kSet, b_fails);
  if (!a_first) end(a, of_a, kNew, a_fails);
  await_report();
  source = kOther;  // nothing is to be loaded any more
  const std::int64_t from_a = a.f.call(item), from_b = b.f.call(item);
  EXPECT_EQ(from_a, from_b);
  const bool new_of_a = !a_fails && from_a == value_of(item, kNew),
             new_of_b = !b_fails && from_a == value_of(item, kSet);
  EXPECT_TRUE(new_of_a || new_of_b) << "left is " << from_a - item * kStep;
  expect_no_lease();
}

TEST_P(TwoRefreshes, LeaveTheNewValueOfOneWhateverTheirOrder) {
  for (const bool there_before : {false, true}) {
    for (const Step step_a : kSteps) {
      for (const Step step_b : kSteps) {
        for (const bool a_first : {false, true}) {
          for (const auto outcome : {Outcome::both, Outcome::a_fails, Outcome::b_fails}) {
            cross(there_before, step_a, step_b, a_first, outcome);
            if (HasFailure()) return;
          }
        }
      }
    }
  }
}

/// A lease lives 3 s, and is renewed as long as its load runs.
struct LongLoad : Interleaving {};
TEST_P(LongLoad, KeepsItsLeaseAndIsWaitedFor) {
  item = 1;
  const auto raw = [&](Process& process) {
    return process.cache.cached({.ttl = 60s, .prefix = "raw", .raw = true},
                                Plain([](std::int64_t i) { return value_of(i, loads_bring); }));
  };
  std::promise<void> may_end;
  const std::shared_future<void> end = may_end.get_future().share();
  std::atomic<int> begun{0};
  const auto slow = a.cache.cached({.ttl = 60s, .prefix = "raw", .raw = true}, Plain([&, end](std::int64_t i) {
                                     ++begun;
                                     end.wait();
                                     return value_of(i, kOld);
                                   }));
  a.stop->arm(Step::in_loader, a.f.key(item));
  auto load = std::async(std::launch::async, [&] { return a.f.call(item); });
  auto raw_load = std::async(std::launch::async, [&] { return slow(item); });
  ASSERT_TRUE(a.stop->await([] { return false; }));
  ASSERT_TRUE(eventually([&] { return begun == 1; }));
  source = kNew;
  auto other = std::async(std::launch::async, [&] { return b.f.call(item); });
  auto raw_other = std::async(std::launch::async, [&, f = raw(b)] { return loads_bring = kNew, f(item); });
  std::this_thread::sleep_for(4s);  // the server's clock cannot be moved
  const auto waits = [](auto& future) { return future.wait_for(0s) == std::future_status::timeout; };
  EXPECT_TRUE(waits(other)) << "it took the lease over";
  EXPECT_TRUE(waits(raw_other)) << "it took the lease of the raw value over";
  a.stop->open();
  may_end.set_value();
  EXPECT_EQ(load.get(), value_of(item, kOld));
  EXPECT_EQ(other.get(), value_of(item, kOld));
  EXPECT_EQ(raw_load.get(), value_of(item, kOld));
  EXPECT_EQ(raw_other.get(), value_of(item, kOld));
  expect_no_lease();
}

using ::testing::Combine;
using ::testing::Values;
INSTANTIATE_TEST_SUITE_P(Every, Interleaving,
                         Combine(Values(Levels::l2_alone, Levels::both),
                                 Values(Kind::plain, Kind::tagged, Kind::adaptive, Kind::context, Kind::raw,
                                        Kind::negative, Kind::refusing, Kind::failing, Kind::bulk, Kind::limited,
                                        Kind::manual)),
                         [](const auto& tested) {
                           return name_in(kLevelsNames, std::get<0>(tested.param)) +
                                  name_in(kKindNames, std::get<1>(tested.param));
                         });

INSTANTIATE_TEST_SUITE_P(FunctionAtL2, Interleaving,
                         Combine(Values(Levels::both_but_function_l2),
                                 Values(Kind::plain, Kind::tagged, Kind::context, Kind::bulk, Kind::manual)),
                         [](const auto& tested) {
                           return std::string(name_in(kKindNames, std::get<1>(tested.param)));
                         });
INSTANTIATE_TEST_SUITE_P(Every, TwoRefreshes,
                         Combine(Values(Levels::l2_alone, Levels::both),
                                 Values(Kind::plain, Kind::tagged, Kind::adaptive, Kind::raw)),
                         [](const auto& tested) {
                           return name_in(kLevelsNames, std::get<0>(tested.param)) +
                                  name_in(kKindNames, std::get<1>(tested.param));
                         });

INSTANTIATE_TEST_SUITE_P(Of, LongLoad, Values(std::tuple(Levels::both, Kind::plain)),
                         [](const auto&) { return "APlainAndARawValue"; });

}  // namespace
}  // namespace dsta::cache
