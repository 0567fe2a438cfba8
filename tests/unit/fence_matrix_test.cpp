// The fence, case by case: every kind of load, overtaken by every kind of invalidation, at every moment of the load.
// Whoever asks after an invalidation returned never sees what was loaded from before it, then or later.
#include <dsta/cache/testing.hpp>
#include <dsta/cache/warmer.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "hand_executor.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using detail::Core;
using testing_support::HandExecutor;

enum class Kind { load, stale_refresh, refresh_ahead, late_result, warm, batch };
enum class By { put, invalidate, del, tag_remove, tag_expire, delete_pattern, cache_clear, flush_all, refresh };
enum class Moment { before_load, during_loader, before_store };
/// When the first reader comes: while the overtaken load is still under way, or after it landed.
enum class Reader { at_once, afterwards };

/// Keeps background work until the test runs it, or from some moment on runs it where it is posted.
class Hand final : public Executor {
 public:
  bool try_post(std::function<void()> task) override {
    if (at_once) return task(), true;
    hand_.try_post(std::move(task));
    posted.release();
    return true;
  }
  std::size_t run() { return hand_.run(); }

  std::atomic<bool> at_once{false};
  std::counting_semaphore<> posted{0};

 private:
  HandExecutor hand_;
};

/// Thrown in place of waiting: so a reader that joins the overtaken load fails its test instead of hanging it.
struct JoinedTheOvertakenLoad : std::logic_error {
  JoinedTheOvertakenLoad() : std::logic_error("a reader waits for a load that was overtaken") {}
};
struct ReaderState {
  bool reading = false;
  bool leads = false;
};
thread_local ReaderState reader;

struct FenceMatrix : ::testing::TestWithParam<std::tuple<Kind, By, Moment, Reader>> {
  static constexpr int kOld = 1, kNew = 2, kPut = 100;
  using Function = std::function<int(int)>;

  FenceMatrix() {
    cache.core()->probe = [this](Core::Point point, std::string_view key) {
      const bool of_ours = key == "fence:1";  // a batch passes the points key by key
      if (point == Core::Point::before_load) {
        reader.leads = true;
        if (of_ours) reach(Moment::before_load);
      }
      if (point == Core::Point::before_store && of_ours) reach(Moment::before_store);
      if (point == Core::Point::before_wait && reader.reading && !reader.leads) throw JoinedTheOvertakenLoad();
    };
  }

  EntryOptions options() const {
    EntryOptions options{.ttl = 60s, .prefix = "fence", .tags = {"symbol:{0}"}};
    if (serves_stale()) options.stale_for = 1h;
    if (kind == Kind::refresh_ahead) options.refresh_ahead = 0.5;
    if (kind == Kind::late_result) options.load_timeout = 1s;
    return options;
  }
  bool serves_stale() const { return kind == Kind::stale_refresh || kind == Kind::warm; }

  int load(int) {
    const int version = source;
    reach(Moment::during_loader);
    return version;
  }

  /// Starts the load that is overtaken, and returns when it has landed.
  void begin() {
    switch (kind) {
      case Kind::load:
        armed = true;
        f(1);
        break;
      case Kind::stale_refresh:
      case Kind::refresh_ahead:
        f(1);
        clean.clock->advance(kind == Kind::stale_refresh ? 70s : 40s);
        EXPECT_EQ(f(1), kOld);
        armed = true;
        EXPECT_EQ(background->run(), 1u);
        break;
      case Kind::late_result:
        armed = true;
        late_caller = std::jthread([this] {
          EXPECT_THROW(f(1), LoadTimeoutError);
          background->posted.release();  // also when nothing was posted
        });
        background->posted.acquire();
        EXPECT_EQ(background->run(), 1u);
        break;
      case Kind::warm:
        f(1);
        armed = true;
        EXPECT_EQ(CacheWarmer(cache, {.concurrency = 1}).warm(f, std::vector{1}, "price").warmed, 1u);
        break;
      case Kind::batch:
        begin_batch();
        break;
    }
  }
  void begin_batch();

  /// The load is at `here`: if it is the one and this the moment, the invalidation comes now, on a thread of its own.
  void reach(Moment here) {
    if (here != moment || !armed.exchange(false)) return;
    if (kind == Kind::late_result) {
      clean.clock->advance(2s);
      late_caller.join();
      background->at_once = true;
    }
    std::jthread([this] {
      EXPECT_NO_THROW({
        strike();
        if (when == Reader::at_once) expect_new("while the overtaken load is under way");
      });
    }).join();
  }

  void strike() {
    source = kNew;
    const std::string key = f.key_for(1);
    switch (by) {
      case By::put:
        f.put(1, expected = kPut);
        break;
      case By::invalidate:
        f.invalidate(1);
        break;
      case By::del:
        cache.del(key);
        break;
      case By::tag_remove:
        cache.invalidate_tag("symbol:1");
        break;
      case By::tag_expire:
        cache.invalidate_tag("symbol:1", TagMode::expire);
        break;
      case By::delete_pattern:
        cache.delete_pattern("f?nce:*");
        break;
      case By::cache_clear:
        f.cache_clear();
        break;
      case By::flush_all:
        cache.flush_all();
        break;
      case By::refresh:
        EXPECT_EQ(f.refresh(1), kNew);
        break;
    }
    struck = true;
  }

  bool of_all_keys() const { return by == By::delete_pattern || by == By::cache_clear || by == By::flush_all; }
  /// What a tag only expired may be served once more, marked as stale, by functions that said so.
  bool may_be_stale() const { return by == By::tag_expire && serves_stale() && !background_done; }

  void expect_new(const char* when_asked) {
    SCOPED_TRACE(when_asked);
    const auto peeked = f.peek(1);
    const auto looked = cache.lookup<int>(f.key_for(1));
    EXPECT_EQ(looked.value, peeked);
    EXPECT_EQ(cache.get<int>(f.key_for(1)), peeked);
    EXPECT_EQ(cache.exists(f.key_for(1)), peeked.has_value());
    if (looked.stale) {
      EXPECT_TRUE(may_be_stale());
      EXPECT_EQ(cache.get_ttl(f.key_for(1)), 0s) << "an expired value may not pass for a fresh one";
    } else if (peeked) {
      EXPECT_EQ(*peeked, expected);
    }
    EXPECT_TRUE(peeked || by != By::put) << "what was put must remain";
    const int wanted = looked.stale ? kOld : expected;
    if (kind == Kind::batch) {
      EXPECT_EQ(read([this] { return f.many({1}).at(0).value(); }), wanted);
    }
    EXPECT_EQ(read([this] { return f(1); }), wanted);
    EXPECT_EQ(read([this] { return *f.shared(1); }), wanted);
    EXPECT_EQ(f.peek(1), wanted);
    EXPECT_EQ(cache.get<int>(f.key_for(1)), wanted);
  }
  template <class Read>
  static int read(Read read) {
    reader = {.reading = true};
    const int value = read();
    reader = {};
    return value;
  }

  const Kind kind = std::get<Kind>(GetParam());
  const By by = std::get<By>(GetParam());
  const Moment moment = std::get<Moment>(GetParam());
  const Reader when = std::get<Reader>(GetParam());
  std::shared_ptr<Hand> background = std::make_shared<Hand>();
  testing::CleanCache clean{{.executor = background}};
  CacheManager& cache = clean.cache;
  std::atomic<int> source{kOld};
  std::atomic<bool> armed{false};
  bool struck = false, background_done = false;
  int expected = kNew;
  std::jthread late_caller;
  cached<Function> f = cache.cached(options(), Function([this](int n) { return load(n); }));
};

TEST_P(FenceMatrix, AfterAnInvalidationNoOlderLoadIsSeen) {
  begin();
  ASSERT_TRUE(struck) << "the load never came to its moment";
  // 'before' reads the source after the invalidation: whether that counts is the library's choice.
  if (moment != Moment::before_load) {
    EXPECT_GE(f.cache_info().fenced, 1u) << "what was loaded must be dropped, and counted";
    EXPECT_LE(f.cache_info().fenced, kind == Kind::batch && of_all_keys() ? 3u : 1u);
  }
  if (kind == Kind::batch && of_all_keys()) {
    for (const int other : {0, 2}) {
      EXPECT_NE(f.peek(other), kOld);
      EXPECT_EQ(f(other), kNew);
    }
  }
  expect_new("after the overtaken load landed");
  while (background->run() != 0) {
  }
  background_done = true;
  expect_new("after all background work");
  EXPECT_EQ(f.cache_info().load_failures, 0u);
}

std::string name_of(const ::testing::TestParamInfo<FenceMatrix::ParamType>& info) {
  static constexpr const char* kKinds[] = {"Load",       "StaleRefresh", "RefreshAhead",
                                           "LateResult", "Warming",      "BatchLoad"};
  static constexpr const char* kBys[] = {"Put",           "Invalidate", "Del",      "TagRemove", "TagExpire",
                                         "DeletePattern", "CacheClear", "FlushAll", "Refresh"};
  static constexpr const char* kMoments[] = {"BeforeItBegins", "InTheLoader", "BeforeItsStore"};
  static constexpr const char* kReaders[] = {"ReadAtOnce", "ReadAfterwards"};
  const auto index = [](auto one) { return static_cast<std::size_t>(one); };
  const auto [kind, by, moment, reader_comes] = info.param;
  return std::string(kKinds[index(kind)]) + "OvertakenBy" + kBys[index(by)] + kMoments[index(moment)] +
         kReaders[index(reader_comes)];
}

auto overtaken_by_all(std::vector<Kind> kinds) {
  using ::testing::Values;
  return ::testing::Combine(::testing::ValuesIn(std::move(kinds)),
                            Values(By::put, By::invalidate, By::del, By::tag_remove, By::tag_expire, By::delete_pattern,
                                   By::cache_clear, By::flush_all, By::refresh),
                            Values(Moment::before_load, Moment::during_loader, Moment::before_store),
                            Values(Reader::at_once, Reader::afterwards));
}

void FenceMatrix::begin_batch() {
  f = std::move(f).bulk_loader([this](const std::vector<int>& keys) {
    const int version = source;
    reach(Moment::during_loader);
    return std::vector<int>(keys.size(), version);
  });
  armed = true;
  for (const auto& outcome : f.many(std::vector{0, 1, 2})) EXPECT_TRUE(outcome.has_value());
}
INSTANTIATE_TEST_SUITE_P(Every, FenceMatrix,
                         overtaken_by_all({Kind::load, Kind::stale_refresh, Kind::refresh_ahead, Kind::late_result,
                                           Kind::warm, Kind::batch}),
                         name_of);

}  // namespace
}  // namespace dsta::cache
