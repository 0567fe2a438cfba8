// Loads that are told what is cached: etags, "not modified", skipping, and ttls and tags of one load.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "backend_test.hpp"
#include "eventually.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Contexts : BackendTest {
  /// A source with etags, as a web service has them.
  auto wrapped_by(CacheManager& manager, EntryOptions options) {
    return manager.cached(options, [this](const std::string& symbol, LoadContext<std::string>& load) {
      if (down) return ++skipped, load.skip();
      if (load.etag() == etag) return ++not_modified, load.not_modified();
      ++bodies;
      load.set_etag(etag);
      return symbol + " " + etag;
    });
  }
  auto wrapped(EntryOptions options) { return wrapped_by(cache, std::move(options)); }
  std::string etag = "v1";
  bool down = false;
  int bodies = 0, not_modified = 0, skipped = 0;
};
INSTANTIATE_TEST_SUITE_P(On, Contexts, all_backends(), backend_name);

TEST_P(Contexts, TheContextIsNoPartOfTheKey) {
  const auto f = wrapped({.ttl = 60s, .prefix = "f"});
  EXPECT_EQ(f.key_for("BTC"), "f:BTC");
  EXPECT_EQ(f("BTC"), "BTC v1");
  EXPECT_EQ(f("BTC"), "BTC v1");
  EXPECT_EQ(bodies, 1);
}

TEST_P(Contexts, NotModifiedKeepsTheValueForAnotherTtlWithItsEtag) {
  const auto f = wrapped({.ttl = 100s, .prefix = "f"});
  f("BTC");
  for (int round = 1; round <= 3; ++round) {
    EXPECT_EQ(f.refresh("BTC"), "BTC v1");
    EXPECT_EQ(not_modified, round);
    EXPECT_GT(cache.get_ttl("f:BTC"), 95s);
  }
  etag = "v2";
  EXPECT_EQ(f.refresh("BTC"), "BTC v2");
  EXPECT_EQ(f.refresh("BTC"), "BTC v2");
  EXPECT_EQ(bodies, 2);
  EXPECT_EQ(not_modified, 4);
}

TEST_P(Contexts, SkipLeavesTheValueAsItIs) {
  const auto f = wrapped({.ttl = 100s, .prefix = "f"});
  f("BTC");
  down = true;
  etag = "v2";
  EXPECT_EQ(f.refresh("BTC"), "BTC v1");
  EXPECT_EQ(skipped, 1);
  EXPECT_EQ(f.cache_info().load_failures, 0u);
  EXPECT_EQ(f.peek("BTC"), "BTC v1");
  down = false;
  EXPECT_EQ(f.refresh("BTC"), "BTC v2");
}

TEST_P(Contexts, WhatWasInvalidatedIsNoPreviousValue) {
  const auto f = wrapped({.ttl = 100s, .prefix = "f", .tags = {"t"}});
  f("BTC");
  f.invalidate("BTC");
  f("BTC");
  cache.invalidate_tag("t");
  f("BTC");
  f.cache_clear();
  f("BTC");
  cache.flush_all();
  f("BTC");
  cache.delete_pattern("f:*");
  f("BTC");
  EXPECT_EQ(bodies, 6);
  EXPECT_EQ(not_modified, 0);
}

TEST_P(Contexts, WithoutAPreviousValueTheSourceMustAnswer) {
  down = true;
  const auto f = wrapped({.ttl = 60s, .prefix = "f"});
  EXPECT_THROW(f("BTC"), LoadError);
  EXPECT_FALSE(f.peek("BTC"));
}

TEST_P(Contexts, NotModifiedIsNotStoredOverAnInvalidationMeanwhile) {
  bool invalidate = false;
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"t"}}, [&](int, LoadContext<int>& load) {
    if (!load.previous()) return 1;
    if (invalidate) cache.invalidate_tag("t");
    return load.not_modified();
  });
  f(0);
  invalidate = true;
  EXPECT_EQ(f.refresh(0), 1);
  EXPECT_FALSE(f.peek(0));
}

TEST_P(Contexts, ALoadSetsTheTtlAndTagsOfItsValue) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [](int i, LoadContext<int>& load) {
    load.set_ttl(std::chrono::seconds(i));
    load.add_tag("tag:" + std::to_string(i));
    return i;
  });
  f(1000), f(2000), f(0);
  EXPECT_GT(cache.get_ttl("f:1000"), 990s);
  EXPECT_GT(cache.get_ttl("f:2000"), 1990s);
  EXPECT_FALSE(f.peek(0));
  cache.invalidate_tag("tag:1000");
  EXPECT_FALSE(f.peek(1000));
  EXPECT_TRUE(f.peek(2000));
}

TEST_P(Contexts, GetOrLoadTakesAContextToo) {
  const auto load = [](LoadContext<std::string>& context) {
    if (context.previous()) return context.not_modified();
    context.set_ttl(1000s);
    return std::string("v");
  };
  EXPECT_EQ(cache.get_or_load("k", load, {.ttl = 60s}), "v");
  EXPECT_GT(cache.get_ttl("k"), 990s);
}

TEST_P(Contexts, AValueOfAnotherManagerIsThePreviousOneWithItsEtag) {
  if (embedded()) GTEST_SKIP() << "embedded managers share nothing";
  wrapped({.ttl = 100s, .prefix = "f"})("BTC");
  CacheManager other = manager();
  const auto f = wrapped_by(other, {.ttl = 100s, .prefix = "f"});
  EXPECT_EQ(f.refresh("BTC"), "BTC v1");
  EXPECT_EQ(bodies, 1);
  EXPECT_EQ(not_modified, 1);
}

}  // namespace
}  // namespace dsta::cache
