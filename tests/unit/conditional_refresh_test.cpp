// A function that is told what is cached, and may answer that it is still right.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "hand_executor.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::HandExecutor;

/// A source with etags, as a web service has them.
struct Source {
  std::string body = "first";
  std::string etag = "v1";
  bool down = false;
  int full_answers = 0;
  int not_modified = 0;
};

struct ConditionalRefresh : ::testing::Test {
  auto wrapped(EntryOptions options) {
    return cache.cached(options, [this](const std::string& symbol, LoadContext<std::string>& load) {
      if (source.down) return load.previous() ? load.skip() : throw std::runtime_error("down");
      if (load.etag() == source.etag) return ++source.not_modified, load.not_modified();
      ++source.full_answers;
      load.set_etag(source.etag);
      return symbol + " " + source.body;
    });
  }
  Source source;
  std::shared_ptr<HandExecutor> background = std::make_shared<HandExecutor>();
  testing::CleanCache clean{{.executor = background}};
  CacheManager& cache = clean.cache;
  testing::ManualClock& clock = *clean.clock;
};

TEST_F(ConditionalRefresh, TheContextIsNeitherKeyNorArgument) {
  const auto f = wrapped({.prefix = "p"});
  EXPECT_EQ(f.key_for("BTC"), "p:BTC");
  EXPECT_EQ(f("BTC"), "BTC first");
  EXPECT_EQ(f("BTC"), "BTC first");
  EXPECT_EQ(source.full_answers, 1);
}

TEST_F(ConditionalRefresh, NotModifiedRenewsTheTtlAndKeepsTheEtag) {
  const auto f = wrapped({.ttl = 60s, .prefix = "p", .stale_for = 60s});
  f("BTC");
  for (int round = 1; round <= 3; ++round) {
    clock.advance(70s);
    EXPECT_EQ(f("BTC"), "BTC first");
    EXPECT_EQ(background->run(), 1u);
    EXPECT_EQ(source.not_modified, round);
    EXPECT_EQ(cache.get_ttl(f.key_for("BTC")), 60s);
  }
  EXPECT_EQ(source.full_answers, 1);
}

TEST_F(ConditionalRefresh, AChangedSourceGivesItsNewValueAndEtag) {
  const auto f = wrapped({.ttl = 60s, .prefix = "p", .stale_for = 60s});
  f("BTC");
  source.body = "second", source.etag = "v2";
  EXPECT_EQ(f.refresh("BTC"), "BTC second");
  EXPECT_EQ(f.refresh("BTC"), "BTC second");
  EXPECT_EQ(source.full_answers, 2);
  EXPECT_EQ(source.not_modified, 1);
}

TEST_F(ConditionalRefresh, AnInvalidatedValueIsNoPreviousValue) {
  const auto f = wrapped({.ttl = 60s, .prefix = "p", .tags = {"t"}, .stale_for = 60s});
  f("BTC");
  f.invalidate("BTC");
  f("BTC");
  cache.invalidate_tag("t");
  f("BTC");
  f.cache_clear();
  f("BTC");
  cache.flush_all();
  f("BTC");
  EXPECT_EQ(source.full_answers, 5);
  EXPECT_EQ(source.not_modified, 0);
}

TEST_F(ConditionalRefresh, NotModifiedIsFencedByAnInvalidation) {
  bool invalidate = false;
  const auto f =
      cache.cached({.ttl = 60s, .prefix = "p", .tags = {"t"}, .stale_for = 60s}, [&](int, LoadContext<int>& load) {
        if (!load.previous()) return 1;
        if (invalidate) cache.invalidate_tag("t");
        return load.not_modified();
      });
  f(0);
  clock.advance(60s);
  invalidate = true;
  EXPECT_EQ(f(0), 1);
  background->run();
  EXPECT_FALSE(f.peek(0));
  EXPECT_EQ(f.cache_info().fenced, 1u);
}

TEST_F(ConditionalRefresh, SkipKeepsTheStaleValueAndBacksOff) {
  const auto f = wrapped({.ttl = 60s, .prefix = "p", .stale_for = 1h, .refresh_backoff = 10s});
  f("BTC");
  clock.advance(60s);
  source.down = true;
  EXPECT_EQ(f("BTC"), "BTC first");
  EXPECT_EQ(background->run(), 1u);
  EXPECT_EQ(cache.get_ttl(f.key_for("BTC")), 0s);
  EXPECT_EQ(f("BTC"), "BTC first");
  EXPECT_EQ(background->waiting(), 0u);
  clock.advance(10s);
  f("BTC");
  EXPECT_EQ(background->waiting(), 1u);
  EXPECT_EQ(f.cache_info().load_failures, 0u);
}

TEST_F(ConditionalRefresh, FailIsAnErrorThatSaysWhy) {
  const auto f = cache.cached({.prefix = "p"}, [](int, LoadContext<int>& load) -> int { load.fail("no such symbol"); });
  try {
    f(0);
    ADD_FAILURE();
  } catch (const LoadError& e) {
    EXPECT_STREQ(e.what(), "no such symbol");
  }
}

TEST_F(ConditionalRefresh, KeepingWhatIsNotThereIsAnErrorThatSaysSo) {
  const auto keep = cache.cached({.prefix = "keep"}, [](int, LoadContext<int>& load) { return load.not_modified(); });
  const auto skip = cache.cached({.prefix = "skip"}, [](int, LoadContext<int>& load) { return load.skip(); });
  EXPECT_THROW(keep(0), LoadError);
  EXPECT_THROW(skip(0), LoadError);
  EXPECT_EQ(cache.get_stats().entries, 0u);
}

TEST_F(ConditionalRefresh, TheContextSetsTtlAndTags) {
  int runs = 0;
  const auto f = cache.cached({.ttl = 60s, .prefix = "p"}, [&](int, LoadContext<int>& load) {
    load.set_ttl(5s);
    load.add_tag("from the value");
    return ++runs;
  });
  f(0);
  EXPECT_EQ(cache.get_ttl(f.key_for(0)), 5s);
  cache.invalidate_tag("from the value");
  EXPECT_EQ(f(0), 2);
}

TEST_F(ConditionalRefresh, AFunctionOfAContextAloneHasOneEntry) {
  int runs = 0;
  const auto f = cache.cached({.prefix = "p", .name = "clock"},
                              [&](LoadContext<int>& load) { return load.previous() ? *load.previous() + 10 : ++runs; });
  EXPECT_EQ(f(), 1);
  EXPECT_EQ(f(), 1);
  EXPECT_EQ(f.refresh(), 11);
  EXPECT_EQ(f.key_for(), "p:clock");
}

TEST_F(ConditionalRefresh, GetOrLoadTakesAContextToo) {
  const auto load = [&](LoadContext<std::string>& context) {
    context.set_etag("e");
    return context.previous() ? *context.previous() + "+" : std::string("new");
  };
  const EntryOptions options{.ttl = 60s, .stale_for = 60s};
  EXPECT_EQ(cache.get_or_load("k", load, options), "new");
  clock.advance(61s);
  EXPECT_EQ(cache.get_or_load("k", load, options), "new");
  background->run();
  EXPECT_EQ(cache.get("k"), "new+");
}

TEST_F(ConditionalRefresh, NotModifiedKeepsTheTagsOfTheValue) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "p", .tags = {"of all"}}, [](int, LoadContext<int>& load) {
    if (load.previous()) return load.not_modified();
    load.add_tag("from the value");
    return 1;
  });
  for (const char* tag : {"from the value", "of all"}) {
    f(0);
    for (int i = 0; i < 3; ++i) f.refresh(0);
    cache.invalidate_tag(tag);
    EXPECT_FALSE(f.peek(0)) << tag;
  }
}

TEST_F(ConditionalRefresh, AKeptValueGoesWithTheTagsItWasLoadedWith) {
  for (const TagMode mode : {TagMode::remove, TagMode::expire}) {
    for (const bool skip : {false, true}) {
      CacheManager manager;
      bool invalidate = false;
      const auto f = manager.cached({.ttl = 60s, .prefix = "p", .stale_for = 60s}, [&](int, LoadContext<int>& load) {
        if (load.previous()) {
          if (invalidate) manager.invalidate_tag("from the value", mode);
          return skip ? load.skip() : load.not_modified();
        }
        load.add_tag("from the value");
        return 1;
      });
      f(0);
      invalidate = true;
      f.refresh(0);
      if (mode == TagMode::remove) {
        EXPECT_FALSE(f.peek(0));
      } else {
        EXPECT_EQ(manager.get_ttl(f.key_for(0)), 0s) << "it is past its ttl and stays so";
      }
    }
  }
}

}  // namespace
}  // namespace dsta::cache
