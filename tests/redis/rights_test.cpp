// A user who lacks one right: nothing waits longer than its deadline, in this process or in another, nothing is stale
// after an invalidation that was confirmed, and what could not be done is said with the command and the server's word.
#include <dsta/cache/health.hpp>
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "eventually.hpp"
#include "hook_clock.hpp"
#include "monitor.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

constexpr auto kDeadline = 1000ms;
/// Beyond a deadline, on a machine that is busy with other things; less than the life of a lease, which is 3 s.
constexpr auto kMargin = 1500ms;

/// What is taken from a user who else may do everything.
struct Right {
  const char* name;
  const char* taken;
};
constexpr Right kRights[] = {{"Nothing", ""},
                             {"Get", "-get"},
                             {"Mget", "-mget"},
                             {"Set", "-set"},
                             {"Getrange", "-getrange"},
                             {"Unlink", "-unlink"},
                             {"Scan", "-scan"},
                             {"Incrby", "-incrby"},
                             {"Pttl", "-pttl"},
                             {"Multi", "-multi"},
                             {"Exec", "-exec"},
                             {"Eval", "-eval"},
                             {"Evalsha", "-evalsha"},
                             {"Scripting", "-@scripting"},
                             {"Time", "-time"},
                             {"Echo", "-echo"},
                             {"Ping", "-ping"},
                             {"Type", "-type"},
                             {"Pexpire", "-pexpire"},
                             {"Persist", "-persist"},
                             {"Pexpiretime", "-pexpiretime"},
                             {"Client", "-client"},
                             {"ClientId", "-client|id"},
                             {"ClientTracking", "-client|tracking"},
                             {"ClientGetredir", "-client|getredir"},
                             {"Subscribe", "-subscribe"},
                             {"Channel", "resetchannels"},
                             {"Writing", "-@write"},
                             {"Reading", "-@read"},
                             {"Keys", "resetkeys ~nothing"}};

struct Rights : ::testing::TestWithParam<std::tuple<Right, bool>> {
  using Function = std::function<int(int)>;
  struct Process {
    CacheManager cache;
    std::vector<std::pair<std::string, cached<Function>>> functions;
    std::mutex mutex;
    std::string said;  // under mutex
    std::string log() {
      const std::lock_guard lock(mutex);
      return said;
    }
  };

  static void TearDownTestSuite() { server.reset(); }
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    if (!server) server = std::make_unique<RedisServer>();
    static int users = 0;
    user = "user" + std::to_string(++users);
    grant({"~" + user + ":*", "&*", "+@all"});
    std::vector<std::string> words;
    for (const char* c = taken.taken; *c; ++c) {
      if (words.empty() || *c == ' ') words.emplace_back();
      if (*c != ' ') words.back() += *c;
    }
    if (!words.empty()) grant(words);
    for (Process* process : {&a, &b}) open(*process);
  }
  void TearDown() override {
    for (Process* process : {&a, &b}) process->cache = CacheManager();
  }
  void grant(std::vector<std::string> words) {
    words.insert(words.begin(), {"ACL", "SETUSER", user, "on", ">pw"});
    ASSERT_EQ(server->command(words), "OK");
  }
  void open(Process& process) {
    const std::string url = "redis://" + user + ":pw@127.0.0.1:" + std::to_string(server->port());
    ManagerOptions options = over_redis(url, has_l1, kDeadline);
    options.space = user;
    options.log.level = LogLevel::info;
    options.log.sink = [&process](LogLevel, std::string_view message) {
      const std::lock_guard lock(process.mutex);
      process.said.append(message).append("\n");
    };
    process.cache = CacheManager(std::move(options));
    process.functions.clear();
    const Function load = [this](int) { return source.load(); };
    const auto add = [&](const std::string& name, EntryOptions options_of) {
      options_of.ttl = 60s;
      options_of.prefix = name;
      process.functions.emplace_back(name, process.cache.cached(options_of, load));
    };
    add("plain", {});
    add("raw", {.raw = true});
    add("tagged", {.tags = {"item:{0}"}});
    add("stale", {.tags = {"item:{0}"}, .stale_for = 60s});
    add("alone", {.level = Level::l2});
    process.functions.emplace_back(
        "bulk",
        process.cache.cached({.ttl = 60s, .prefix = "bulk"}, load).bulk_loader([this](const std::vector<int>& wanted) {
          return std::vector<int>(wanted.size(), source.load());
        }));
  }

  /// `call`, in time.
  template <class Call>
  auto timed(const std::string& what, Call call) {
    struct Watch {
      const std::string& what;
      const std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
      ~Watch() {
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
        EXPECT_LT(took, kDeadline + kMargin) << what;
      }
    };
    const Watch watch{what};
    return call();
  }
  std::uint64_t pending() { return a.cache.get_stats().pending_invalidations; }
  /// Whatever A changed is seen by it at once; by B too if it was confirmed, when it had time to hear of it.
  void expect_new(std::size_t f, int item, const std::string& after) {
    const std::string what = a.functions[f].first + " after " + after;
    const int now = source;
    const auto& here = a.functions[f].second;
    const auto& there = b.functions[f].second;
    EXPECT_EQ(timed(what, [&] { return here.peek(item).value_or(now); }), now) << what << ", looked at";
    EXPECT_EQ(timed(what, [&] { return here(item); }), now) << what;
    EXPECT_EQ(timed(what, [&] { return here(item); }), now) << what << ", again";
    EXPECT_EQ(timed(what, [&] { return here.many({item}).at(0).value(); }), now) << what << ", many";
    // Without L1 what was confirmed holds at once, everywhere.
    const bool confirmed = pending() == 0;
    bool right = false;
    for (const auto until = std::chrono::steady_clock::now() + (has_l1 ? 2000ms : 0ms);;) {
      right = timed(what + " elsewhere", [&] { return there(item); }) == now;
      if (right || std::chrono::steady_clock::now() >= until || !confirmed) break;
    }
    EXPECT_TRUE(right || !confirmed) << what << ", elsewhere";
  }
  void invalidate_by(
      const std::string& how, const std::function<void(std::size_t f, int item)>& change,
      const std::function<bool(const std::string& name)>& concerns = [](const auto&) { return true; }) {
    for (std::size_t f = 0; f < a.functions.size(); ++f) {
      const std::string& name = a.functions[f].first;
      const auto& here = a.functions[f].second;
      if (!concerns(name)) continue;
      const auto& there = b.functions[f].second;
      const int item = ++items;
      ++source;
      EXPECT_EQ(timed(name + " cold", [&] { return here(item); }), source) << name << " before " << how;
      EXPECT_EQ(timed(name + " cold elsewhere", [&] { return there(item); }), source) << name << " before " << how;
      EXPECT_EQ(timed(name + " hit", [&] { return here(item); }), source) << name << " before " << how;
      EXPECT_EQ(timed(name + " hit elsewhere", [&] { return there(item); }), source) << name << " before " << how;
      ++source;
      timed(how, [&] { change(f, item); });
      expect_new(f, item, how);
    }
  }
  /// Where the user may not read, what is stored is loaded all the same.
  bool may_load(int loaded, int read) const { return taken.taken[0] != '\0' && read == loaded; }
  void refresh();
  void values_by_key();
  /// The server refused something that A or B asked for.
  void expect_says_why();
  void expect_reason(const SetResult& result, const std::string& what) {
    if (result) return;
    EXPECT_FALSE(result.reason().empty()) << what;
    reasons += std::string(what).append(": ").append(result.reason()).append("\n");
  }

  const Right taken = std::get<0>(GetParam());
  const bool has_l1 = std::get<1>(GetParam());
  static inline std::unique_ptr<RedisServer> server;
  std::string user, reasons;
  std::atomic<int> source{1};
  int items = 0;
  Process a, b;
};

void Rights::refresh() {
  for (std::size_t f = 0; f < a.functions.size(); ++f) {
    const std::string& name = a.functions[f].first;
    const auto& here = a.functions[f].second;
    const auto& there = b.functions[f].second;
    const int item = ++items, first = ++source;
    EXPECT_EQ(timed(name + " refreshed", [&] { return here.refresh(item); }), first);
    const int second = ++source;
    EXPECT_EQ(timed(name + " refreshed elsewhere", [&] { return there.refresh(item); }), second);
    const int value = timed(name + " after both", [&] { return here(item); });
    EXPECT_TRUE(value == first || value == second) << name << ": " << value;
    const SetResult put = timed(name + " put", [&] { return here.put(item, -item); });
    expect_reason(put, name + " put");
    if (put) {
      const int read = timed(name + " after put", [&] { return here(item); });
      EXPECT_TRUE(read == -item || may_load(source, read)) << read;
    }
    if (put && !has_l1) {
      const int read = timed(name + " after put, elsewhere", [&] { return there(item); });
      EXPECT_TRUE(read == -item || may_load(source, read)) << read;
    }
    EXPECT_TRUE(timed(name + " many", [&] { return here.many({item, item + 100'000}); }).at(1).has_value());
  }
  // A refresh behind a stale value.
  const std::string& name = a.functions[3].first;
  const auto& here = a.functions[3].second;
  const int item = ++items;
  here(item);
  timed("expire", [&] { a.cache.invalidate_tag("item:" + std::to_string(item), TagMode::expire); });
  for (int i = 0; i < 5; ++i) {
    timed(name + " stale", [&] { return here(item); });
    timed(name + " stale elsewhere", [&] { return b.functions[3].second(item); });
  }
}

void Rights::values_by_key() {
  for (const bool raw : {false, true}) {
    const EntryOptions options{.ttl = 60s, .prefix = raw ? "rawkey" : "key", .raw = raw};
    const SetResult set = timed("set", [&] { return a.cache.set("k", 1, options); });
    expect_reason(set, "set");
    const auto got = timed("get", [&] { return a.cache.get<int>("k", options); });
    EXPECT_EQ(got.value_or(1), 1);
    const auto elsewhere = timed("get elsewhere", [&] { return b.cache.get<int>("k", options); });
    EXPECT_EQ(elsewhere.value_or(1), 1);
    timed("exists", [&] { (void)a.cache.exists("k", options); });
    timed("get_ttl", [&] { (void)a.cache.get_ttl("k", options); });
    timed("get_many", [&] { (void)a.cache.get_many<int>({"k", "l"}, options); });
    for (const auto& one : timed("set_many", [&] { return a.cache.set_many<int>({{"k", 2}, {"l", 3}}, options); })) {
      expect_reason(one, "set_many");
    }
    timed("del", [&] { a.cache.del("k", options); });
    EXPECT_FALSE(timed("get after del", [&] { return a.cache.get<int>("k", options); }));
    EXPECT_FALSE(timed("exists after del", [&] { return a.cache.exists("k", options); }));
    EXPECT_EQ(timed("get_or_load",
                    [&] {
                      return a.cache.get_or_load(
                          "k", [] { return 7; }, options);
                    }),
              7);
    timed("del_many", [&] { a.cache.del_many({"k", "l"}, options); });
    EXPECT_FALSE(timed("get after del_many", [&] { return a.cache.get<int>("l", options); }));
  }
  std::optional<std::int64_t> counted = timed("increment", [&] { return a.cache.increment("n", 5); });
  EXPECT_EQ(counted.value_or(5), 5);
  const auto seen = timed("counter", [&] { return a.cache.get<std::int64_t>("n"); });
  EXPECT_EQ(seen.value_or(5), 5);
  timed("del of a counter", [&] { a.cache.del("n"); });
  EXPECT_FALSE(timed("counter after del", [&] { return a.cache.get<std::int64_t>("n"); }));
  // What was not counted says so, and what says so was not.
  const auto with_ttl = timed("increment with a ttl", [&] { return a.cache.increment("m", 5, {.ttl = 60s}); });
  const std::string there = server->command({"GET", user + ":m"});
  EXPECT_EQ(there, with_ttl ? "5" : "(nil)");
  if (with_ttl) {
    EXPECT_GT(std::stoll(server->command({"PTTL", user + ":m"})), 0);
  }
}

void Rights::expect_says_why() {
  const Health health = timed("health", [&] { return check_health(a.cache); });
  const auto said = [&] { return reasons + "health: " + health.error + "\n" + a.log(); };
  const std::string name = taken.name;
  if (name == "Nothing") {
    EXPECT_TRUE(health.healthy) << health.error;
    EXPECT_EQ(reasons, "");
    EXPECT_EQ(a.log(), "");
    EXPECT_EQ(a.cache.get_stats().l2_errors, 0u);
    return;
  }
  const bool refused = a.cache.get_stats().l2_errors > 0;
  // Some of it is written by a thread of its own.
  const bool names_it = eventually([&] {
    const std::string text = said();
    return !refused || text.find("NOPERM") != std::string::npos || text.find("(ERR)") != std::string::npos;
  });
  EXPECT_TRUE(names_it) << said();
  EXPECT_EQ(said().find("(EXECABORT)"), std::string::npos) << said();
}

TEST_P(Rights, NothingWaitsAndNothingIsStale) {
  values_by_key();
  refresh();
  const auto key = [&](std::size_t f, int item) { return a.functions[f].second.key_for(item); };
  const auto by_key = [&](std::size_t f) {
    return EntryOptions{.level = a.functions[f].first == "alone" ? Level::l2 : Level::both,
                        .raw = a.functions[f].first == "raw"};
  };
  const auto is_tagged = [](const std::string& name) { return name == "tagged" || name == "stale"; };
  invalidate_by("invalidate", [&](std::size_t f, int item) { a.functions[f].second.invalidate(item); });
  invalidate_by("del", [&](std::size_t f, int item) { a.cache.del(key(f, item), by_key(f)); });
  invalidate_by("del_many", [&](std::size_t f, int item) { a.cache.del_many({key(f, item), "other"}, by_key(f)); });
  invalidate_by(
      "invalidate_tag", [&](std::size_t, int item) { a.cache.invalidate_tag("item:" + std::to_string(item)); },
      is_tagged);
  invalidate_by("delete_pattern", [&](std::size_t f, int item) { a.cache.delete_pattern(key(f, item) + "*"); });
  invalidate_by("invalidate_matching",
                [&](std::size_t f, int item) { a.functions[f].second.invalidate_matching(item); });
  invalidate_by("cache_clear", [&](std::size_t f, int) { a.functions[f].second.cache_clear(); });
  invalidate_by("flush_all", [&](std::size_t, int) { a.cache.flush_all(); });
  expect_says_why();
}

std::string rights_name(const ::testing::TestParamInfo<std::tuple<Right, bool>>& tested) {
  return std::string(std::get<0>(tested.param).name) + levels_name(std::get<1>(tested.param));
}
INSTANTIATE_TEST_SUITE_P(Without, Rights, ::testing::Combine(::testing::ValuesIn(kRights), ::testing::Bool()),
                         rights_name);

/// What the server is asked for, scripts' own calls included, is what the list above takes away.
struct RightsAsked : Rights {};
TEST_P(RightsAsked, AreAllInTheListOfThoseTakenAway) {
  Monitor monitor(server->port());
  open(a);
  values_by_key();
  refresh();
  a.cache.invalidate_tag("t");
  a.functions[0].second.cache_clear();
  a.cache.delete_pattern("k*");
  a.cache.flush_all();
  std::set<std::string> asked;
  for (const auto& command : monitor.take(server->port())) {
    std::string name = command.at(0);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    asked.insert("-" + name);
  }
  for (const char* const of_a_login : {"-auth", "-hello", "-select", "-acl"}) asked.erase(of_a_login);
  for (const auto& one : asked) {
    EXPECT_TRUE(std::ranges::any_of(kRights, [&](const Right& right) { return right.taken == one; })) << one;
  }
  EXPECT_GT(asked.size(), 10u);
}
INSTANTIATE_TEST_SUITE_P(Of, RightsAsked, ::testing::Combine(::testing::Values(kRights[0]), ::testing::Bool()),
                         rights_name);

/// Without the right to take a lease nothing stands at L2 while a load runs, so nobody is told of the removal of its
/// key by another process: such a load is not joined.
struct WithoutLeases : Rights {};
TEST_P(WithoutLeases, ALoadIsNotJoinedOnceAnotherProcessInvalidated) {
  std::promise<void> may_end, begun;
  std::atomic<int> loads{0};
  const auto here = a.cache.cached({.ttl = 60s, .prefix = "slow"}, Function([&](int) {
                                     const int value = source;
                                     if (loads++ == 0) begun.set_value(), may_end.get_future().wait();
                                     return value;
                                   }));
  const int old = source;
  auto first = std::async(std::launch::async, [&] { return here(1); });
  begun.get_future().wait();
  ++source;
  b.cache.del(here.key_for(1));
  EXPECT_EQ(b.cache.get_stats().pending_invalidations, 0u);
  std::atomic<bool> came{false};
  auto second = std::async(std::launch::async, [&] { return came = true, here(1); });
  EXPECT_TRUE(eventually([&] { return came.load(); }));
  second.wait_for(50ms);  // it may be about to join
  may_end.set_value();
  EXPECT_EQ(first.get(), old);
  EXPECT_EQ(second.get(), source.load());
  EXPECT_EQ(here(1), source.load());
}
INSTANTIATE_TEST_SUITE_P(Of, WithoutLeases,
                         ::testing::Combine(::testing::Values(Right{"Scripting", "-@scripting"}), ::testing::Bool()),
                         rights_name);

/// An invalidation that the server refused is confirmed at each moment of a call that reads what it is about.
struct ConfirmedMeanwhile : Rights {};
TEST_P(ConfirmedMeanwhile, WhatWasReadBeforeDoesNotCount) {
  ManagerOptions options =
      over_redis("redis://" + user + ":pw@127.0.0.1:" + std::to_string(server->port()), has_l1, 5s);
  options.space = user;
  options.clock = std::make_shared<HookClock>();
  CacheManager reader(std::move(options));
  ManagerOptions of_writer = over_redis(server->url(), has_l1, 5s);
  of_writer.space = user;
  CacheManager writer(std::move(of_writer));
  const auto function = [&](CacheManager& cache) {
    return cache.cached({.ttl = 60s, .prefix = "named"}, Function([this](int) { return source.load(); }))
        .adaptive_tags([](int value) { return std::vector<std::string>{"value:" + std::to_string(value)}; });
  };
  const auto here = function(reader), there = function(writer);
  bool hooked = true;
  for (int moment = 1; hooked && moment < 40; ++moment) {
    const int old = ++source;
    EXPECT_EQ(there(moment), old);
    grant({"-set"});
    reader.invalidate_tag("value:" + std::to_string(old));
    EXPECT_GT(reader.get_stats().pending_invalidations, 0u);
    ++source;
    hooked = false;
    HookClock::before_hook = moment;
    HookClock::hook = [&] {
      hooked = true;
      grant({"+set"});
      eventually([&] { return reader.get_stats().pending_invalidations == 0; }, 1s);
    };
    EXPECT_EQ(here(moment), source) << "at moment " << moment;
    HookClock::hook = nullptr;
    grant({"+set"});
    EXPECT_TRUE(eventually([&] { return reader.get_stats().pending_invalidations == 0; }));
    EXPECT_EQ(here(moment), source) << "at moment " << moment << ", again";
  }
  EXPECT_FALSE(hooked) << "there are more moments";
}
INSTANTIATE_TEST_SUITE_P(Of, ConfirmedMeanwhile, ::testing::Combine(::testing::Values(kRights[0]), ::testing::Bool()),
                         rights_name);

}  // namespace
}  // namespace dsta::cache
