// The fence between two processes, case by case: whatever one is about to keep, overtaken by every change that the
// other can make, at every moment. Whoever asks after the change was made (and, where values are kept in-process, heard
// of) never gets what was loaded from before it, then or later.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "hand_executor.hpp"
#include "has_invalidated.hpp"
#include "name_in.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using detail::Core;

/// What brings the value that is overtaken.
enum class Fill { load, stale_refresh, batch, put, found, lookup };
enum class By { del, set, tag_remove, tag_expire, delete_pattern, cache_clear, flush_all };
enum class Moment { before_load, in_loader, before_l2_store, before_l1_store };
/// When the process that fills is told of the change: it keeps nothing; it has heard before it goes on; it hears only
/// when it has done. By the server, which reports all changes, or by the other process, which announces its own.
enum class Word { none_needed, at_once, late, announced, announced_late, mixed };

constexpr const char* kFills[] = {"Load", "StaleRefresh", "Batch", "Put", "Found", "Lookup"};
constexpr const char* kBys[] = {"del", "set", "tag_remove", "tag_expire", "delete_pattern", "cache_clear", "flush_all"};
constexpr const char* kMoments[] = {"before the load", "in the loader", "before the shared store",
                                    "before the L1 store"};
constexpr const char* kWords[] = {"WithoutL1", "HeardAtOnce", "HeardLate", "Announced", "AnnouncedLate", "Mixed"};

/// Keeps background work until the test runs it, or from some moment on runs it where it is posted.
class Hand final : public Executor {
 public:
  bool try_post(std::function<void()> task) override {
    return at_once ? task(), true : hand_.try_post(std::move(task));
  }
  std::size_t run() { return hand_.run(); }
  std::atomic<bool> at_once{false};

 private:
  HandExecutor hand_;
};

struct FenceAcross : ::testing::TestWithParam<std::tuple<Fill, Word>> {
  static constexpr int kFirst = 1, kOld = 2, kNew = 3, kSet = 4, kPut = 5;
  using Function = std::function<int(int)>;

  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
    server = std::make_unique<RedisServer>();
    proxy = std::make_unique<FaultProxy>(server->port());
    ManagerOptions options = over_redis(is_late() ? proxy->url() : server->url(), has_l1(), 5s);
    options.executor = background;
    // In a mixed fleet the other one tracks.
    const bool announces = word == Word::announced || word == Word::announced_late;
    if (announces || word == Word::mixed) options.l1.coherence = CoherenceMode::announcements;
    options.l1.untracked_ttl = 1h;  // so that it hides nothing
    here = CacheManager(std::move(options));
    ManagerOptions others = over_redis(server->url(), has_l1(), 5s);
    if (announces) others.l1.coherence = CoherenceMode::announcements;
    others.l1.untracked_ttl = 1h;
    there = CacheManager(std::move(others));
    here.core()->probe = [this](Core::Point point, std::string_view of) {
      if (of != key) return;  // a batch passes the points key by key
      if (point == Core::Point::before_load) reach(Moment::before_load);
      if (point == Core::Point::before_l2_store) reach(Moment::before_l2_store);
      if (point == Core::Point::before_l1_store) reach(Moment::before_l1_store);
    };
    EntryOptions options_of_f{.ttl = 60s, .prefix = "f", .tags = {"symbol:{0}", "age:{0}"}};
    if (fill == Fill::stale_refresh) options_of_f.stale_for = 60s;
    mine = here.cached(options_of_f, Function([this](int) { return load(); }))
               .bulk_loader([this](const std::vector<int>& items) { return std::vector<int>(items.size(), load()); });
    theirs = there.cached(options_of_f, Function([this](int) { return load_there(); }));
    if (has_l1()) {
      ASSERT_TRUE(l1_is_up(here));
      ASSERT_TRUE(l1_is_up(there));
      ASSERT_TRUE(has_invalidated(there, here));
    }
  }

  bool has_l1() const { return word != Word::none_needed; }
  bool is_late() const { return word == Word::late || word == Word::announced_late; }
  int load() {
    const int version = source;
    reach(Moment::in_loader);
    return version;
  }
  int load_there() {
    const int version = source;
    if (const auto once = std::exchange(in_their_loader, nullptr)) once();
    return version;
  }

  /// That the server has answered.
  std::uint64_t reads() const {
    std::istringstream lines(server->command({"INFO", "commandstats"}));
    std::uint64_t sum = 0;
    for (std::string line; std::getline(lines, line);) {
      for (const std::string command : {"cmdstat_get:calls=", "cmdstat_mget:calls="}) {
        if (line.starts_with(command)) sum += std::stoull(line.substr(command.size()));
      }
    }
    return sum;
  }

  void overtake(By with, Moment when);
  /// Brings the value, and returns when it has landed.
  void begin();
  void begin_found();
  void strike();

  /// The filling process is at `at`: if it is the moment, the change comes now, on a thread of its own.
  void reach(Moment at) {
    if (at != moment || !armed.exchange(false)) return;
    std::jthread([this] { strike(); }).join();
  }
  /// A write that is on its way while the change is made may be the later of the two.
  bool may_be_later() const { return fill == Fill::put && moment == Moment::before_l2_store; }
  bool may_be_stale() const { return by == By::tag_expire && fill == Fill::stale_refresh; }
  bool allowed(int value) const {
    if (may_be_later() && (value == kPut || value == kNew)) return true;
    if (may_be_stale() && (value == kFirst || value == kOld)) return true;
    return value == (by == By::set ? kSet : kNew);
  }
  void expect_looks_new(const std::string& who, CacheManager& manager, const cached<Function>& f) const {
    const auto peeked = f.peek(item);
    EXPECT_TRUE(!peeked || allowed(*peeked)) << who << " peeked at " << *peeked << ", " << *this;
    const auto looked = manager.lookup<int>(key);
    EXPECT_TRUE(!looked || allowed(*looked.value)) << who << " looked up " << *looked.value << ", " << *this;
    EXPECT_TRUE(!looked.stale || may_be_stale()) << who << ", " << *this;
  }
  void expect_called_new(const std::string& who, const cached<Function>& f) const {
    const int called = f(item);
    EXPECT_TRUE(allowed(called)) << who << " was returned " << called << ", " << *this;
  }
  void expect_batched_new(const std::string& who, const cached<Function>& f) const {
    const int batched = f.many({item}).at(0).value();
    EXPECT_TRUE(allowed(batched)) << who << " got in a batch " << batched << ", " << *this;
  }
  void expect_new(const std::string& who, CacheManager& manager, const cached<Function>& f) const {
    expect_looks_new(who, manager, f);
    expect_called_new(who, f);
    expect_batched_new(who, f);
  }
  friend std::ostream& operator<<(std::ostream& out, const FenceAcross& test) {
    return out << "overtaken by " << name_in(kBys, test.by) << " " << name_in(kMoments, test.moment);
  }

  const Fill fill = std::get<Fill>(GetParam());
  const Word word = std::get<Word>(GetParam());
  std::unique_ptr<RedisServer> server;
  std::unique_ptr<FaultProxy> proxy;
  std::shared_ptr<Hand> background = std::make_shared<Hand>();
  CacheManager here, there;
  cached<Function> mine = here.cached({}, Function([](int) { return 0; })), theirs = mine;
  std::function<void()> in_their_loader;
  // Of the case.
  By by{};
  Moment moment{};
  int item = 0;
  std::string key;
  std::atomic<int> source{kOld};
  std::atomic<bool> armed{false}, struck{false};
  std::vector<std::future<void>> readers;
};

void FenceAcross::strike() {
  source = kNew;
  switch (by) {
    case By::del:
      there.del(key);
      break;
    case By::set:
      EXPECT_TRUE(theirs.put(item, kSet));
      break;
    case By::tag_remove:
      there.invalidate_tag("symbol:" + std::to_string(item));
      break;
    case By::tag_expire:
      there.invalidate_tag("symbol:" + std::to_string(item), TagMode::expire);
      break;
    case By::delete_pattern:
      there.delete_pattern("f:*");
      break;
    case By::cache_clear:
      theirs.cache_clear();
      break;
    case By::flush_all:
      there.flush_all();
      break;
  }
  struck = true;
  background->at_once = true;
  EXPECT_TRUE(!has_l1() || is_late() || has_invalidated(there, here));
  const auto read = [this](auto reading) { readers.push_back(std::async(std::launch::async, reading)); };
  const auto readers_of = [&](const std::string& who, CacheManager& manager, const cached<Function>& f) {
    read([=, this, &manager] { expect_looks_new(who, manager, f); });
    read([=, this] { expect_called_new(who, f); });
    read([=, this] { expect_batched_new(who, f); });
  };
  if (!is_late()) readers_of("a reader here at once", here, mine);
  readers_of("a reader there at once", there, theirs);
  // Some of them must wait for the load to land; most are done by then.
  eventually(
      [&] {
        return std::ranges::all_of(readers, [](auto& one) { return one.wait_for(0s) == std::future_status::ready; });
      },
      3ms);
}

void FenceAcross::begin() {
  switch (fill) {
    case Fill::load:
      armed = true;
      mine(item);
      break;
    case Fill::stale_refresh:
      ASSERT_TRUE(mine.put(item, kFirst));
      here.invalidate_tag("age:" + std::to_string(item), TagMode::expire);
      EXPECT_EQ(mine(item), kFirst);
      armed = true;
      EXPECT_GE(background->run(), 1u);
      break;
    case Fill::batch:
      armed = true;
      for (const auto& outcome : mine.many(std::vector{-1, item, -2})) EXPECT_TRUE(outcome.has_value());
      break;
    case Fill::put:
      armed = true;
      mine.put(item, kPut);
      break;
    case Fill::found:
      begin_found();
      break;
    case Fill::lookup:
      ASSERT_TRUE(theirs.put(item, kOld));
      armed = true;
      EXPECT_EQ(here.get<int>(key), kOld);
      break;
  }
}

/// A load that finds the value when another process, which it had to wait for, has brought it.
void FenceAcross::begin_found() {
  std::promise<void> begun, may_end;
  in_their_loader = [&] {
    begun.set_value();
    may_end.get_future().wait();
  };
  auto loading = std::async(std::launch::async, [&] { EXPECT_EQ(theirs(item), kOld); });
  begun.get_future().wait();
  armed = true;
  auto waiting = std::async(std::launch::async, [&] { EXPECT_EQ(mine(item), kOld); });
  // It looks again and again: the third time it is one that waits.
  const std::uint64_t before = reads();
  EXPECT_TRUE(eventually([&] { return reads() >= before + 3; }));
  may_end.set_value();
  loading.get();
  waiting.get();
}

void FenceAcross::overtake(By with, Moment when) {
  by = with;
  moment = when;
  ++item;
  key = mine.key_for(item);
  source = kOld;
  struck = false;
  background->at_once = false;
  SCOPED_TRACE(*this);
  if (is_late()) proxy->set(Fault::hold(Fault::Way::replies).on("push"));
  begin();
  proxy->clear();
  ASSERT_TRUE(struck) << "it never came to its moment";
  for (auto& reader : readers) reader.get();
  readers.clear();
  if (has_l1()) {
    ASSERT_TRUE(has_invalidated(there, here));
    ASSERT_TRUE(has_invalidated(here, there));
  }
  expect_new("here", here, mine);
  expect_new("there", there, theirs);
  if (may_be_stale()) return;  // a refresh may be under way
  const auto at_server = there.get<int>(key, {.level = Level::l2});
  EXPECT_EQ(here.get<int>(key), at_server);
  EXPECT_EQ(there.get<int>(key), at_server);
}

TEST_P(FenceAcross, AfterTheChangeNobodyGetsAnOlderLoad) {
  for (const By with :
       {By::del, By::set, By::tag_remove, By::tag_expire, By::delete_pattern, By::cache_clear, By::flush_all}) {
    // A put and what is only read have no loader, and reading stores nothing at the server.
    const bool loads = fill == Fill::load || fill == Fill::stale_refresh || fill == Fill::batch;
    if (loads) overtake(with, Moment::before_load);
    if (loads) overtake(with, Moment::in_loader);
    if (loads || fill == Fill::put) overtake(with, Moment::before_l2_store);
    overtake(with, Moment::before_l1_store);
    if (HasFatalFailure()) return;
  }
}

using ::testing::Combine;
using ::testing::Values;
// What is looked up is kept nowhere without an in-process level, and there is nothing to overtake.
INSTANTIATE_TEST_SUITE_P(Every, FenceAcross,
                         Combine(Values(Fill::load, Fill::stale_refresh, Fill::batch, Fill::put, Fill::found),
                                 Values(Word::none_needed, Word::at_once, Word::late, Word::announced,
                                        Word::announced_late, Word::mixed)),
                         [](const auto& tested) {
                           return name_in(kFills, std::get<0>(tested.param)) +
                                  name_in(kWords, std::get<1>(tested.param));
                         });
INSTANTIATE_TEST_SUITE_P(Kept, FenceAcross,
                         Combine(Values(Fill::lookup),
                                 Values(Word::at_once, Word::late, Word::announced, Word::announced_late, Word::mixed)),
                         [](const auto& tested) {
                           return name_in(kFills, std::get<0>(tested.param)) +
                                  name_in(kWords, std::get<1>(tested.param));
                         });

}  // namespace
}  // namespace dsta::cache
