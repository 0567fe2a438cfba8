#pragma once
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "base/glob.hpp"
#include "store_model.hpp"

namespace dsta::cache::testing_support {

using namespace std::chrono_literals;

/// Applies one random operation at a time to a manager and to a model, and compares the answers.
class Walk {
 public:
  Walk(CacheManager& cache, testing::ManualClock& clock, unsigned seed, std::string prefix, bool lossy = false)
      : cache_(cache),
        clock_(clock),
        hand_(&clock),
        model_(clock),
        random_(seed),
        options_{.prefix = std::move(prefix)},
        lossy_(lossy) {}
  /// In real time, for a manager over a server, whose time cannot be moved: no entry ends before the walk does.
  Walk(CacheManager& cache, const Clock& clock, unsigned seed, std::string prefix)
      : cache_(cache),
        clock_(clock),
        model_(clock),
        random_(seed),
        options_{.prefix = std::move(prefix)},
        lossy_(false) {}

  void step() {
    using Operation = void (Walk::*)();
    struct Share {
      unsigned below;
      Operation operation;
    };
    static constexpr Share kShares[] = {{25, &Walk::set},
                                        {54, &Walk::get},
                                        {62, &Walk::get_or_load},
                                        {70, &Walk::increment},
                                        {77, &Walk::look},
                                        {84, &Walk::del},
                                        {87, &Walk::set_nothing},
                                        {94, &Walk::pass_time},
                                        {97, &Walk::invalidate_tag},
                                        {99, &Walk::delete_pattern},
                                        {100, &Walk::flush_all}};
    const unsigned draw = below(100);
    (this->*std::ranges::find_if(kShares, [&](const Share& share) { return draw < share.below; })->operation)();
  }
  /// Manager-wide operations belong to single-threaded walks only.
  bool alone = true;
  std::size_t hits = 0;

 private:
  unsigned below(unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(random_); }
  std::string key() { return (below(4) == 0 ? "odd:k" : "k") + std::to_string(below(40)); }
  std::string any_key() { return (below(3) == 0 ? "n" : "") + key(); }
  std::string full(const std::string& key) const { return options_.prefix + ":" + key; }
  Duration ttl() {
    constexpr Duration kTtls[] = {1ns, 1ms, 1s, 90s, 2h, forever};
    return kTtls[hand_ ? below(6) : 4 + below(2)];
  }
  std::string tag() { return options_.prefix + ":tag" + std::to_string(below(3)); }
  std::string value() { return std::string(below(60), 'v') + std::to_string(++version_); }

  void set() {
    EntryOptions options = options_;
    const Duration life = ttl();
    options.ttl = life;
    for (unsigned i = below(3); i > 0; --i) options.tags.push_back(tag());
    const std::string name = key(), text = value();
    const SetResult result = cache_.set(name, text, options);
    ASSERT_TRUE(result || lossy_);
    model_.put(name, {.value = text, .until = model_.after(life), .tags = {options.tags.begin(), options.tags.end()}});
    if (!result) model_.del(name);
  }

  void set_nothing() {
    EntryOptions options = options_;
    options.ttl = below(2) == 0 ? 0s : -1s;
    const std::string name = key();
    ASSERT_FALSE(cache_.set(name, "never", options));
    model_.del(name);
  }

  void get() {
    const std::string name = any_key();
    const auto* known = model_.find(name);
    const auto text = cache_.get(name, options_);
    const auto number = cache_.get<std::int64_t>(name, options_);
    if (text || number) ++hits;
    if (!known || !lossy_) {
      ASSERT_EQ(text.has_value(), known && !known->is_number) << full(name);
      ASSERT_EQ(number.has_value(), known && known->is_number) << full(name);
    }
    ASSERT_EQ(text.value_or(known ? known->value : ""), known ? known->value : "") << full(name);
    ASSERT_EQ(number.value_or(known ? known->number : 0), known ? known->number : 0) << full(name);
  }

  void look() {
    const std::string name = any_key();
    const auto* known = model_.find(name);
    const auto left = cache_.get_ttl(name, options_);
    ASSERT_EQ(cache_.exists(name, options_), left.has_value());
    if (!left && lossy_) return;
    ASSERT_EQ(left.has_value(), known != nullptr) << full(name);
    if (!known) return;
    const Duration expected = known->until == TimePoint::max() ? forever : Duration(known->until - clock_.now());
    if (hand_ || expected == forever) {
      ASSERT_EQ(*left, expected) << full(name);
    } else {
      ASSERT_GT(*left, expected - kRealSlack) << full(name);
      ASSERT_LT(*left, expected + kRealSlack) << full(name);
    }
  }

  void del() {
    const std::string name = any_key();
    const bool gone = cache_.del(name, options_);
    const bool known = model_.del(name);
    ASSERT_TRUE(gone == known || (lossy_ && known)) << full(name);
  }

  void get_or_load() {
    EntryOptions options = options_;
    const Duration life = ttl();
    options.ttl = life;
    options.tags = {tag()};
    const std::string name = key(), fresh = value();
    const auto* known = model_.find(name);
    const bool hit = known && !known->is_number;
    bool loaded = false;
    const std::string got = cache_.get_or_load(
        name, [&] { return loaded = true, fresh; }, options);
    ASSERT_TRUE(loaded || hit) << full(name);
    ASSERT_TRUE(!loaded || !hit || lossy_) << full(name);
    ASSERT_EQ(got, loaded ? fresh : known->value) << full(name);
    if (loaded) model_.put(name, {.value = fresh, .until = model_.after(life), .tags = {options.tags[0]}});
  }

  void increment() {
    const std::string name = "n" + key();
    const auto* known = model_.find(name);
    const std::int64_t amount = static_cast<std::int64_t>(below(100)) - 40;
    EntryOptions options = options_;
    const Duration life = ttl();
    options.ttl = life;
    const std::int64_t sum = amount + (known ? known->number : 0);
    const auto counted = cache_.increment(name, amount, options);
    if (!counted && lossy_) return (void)model_.del(name);
    ASSERT_EQ(counted, sum) << full(name);
    model_.put(name, {.number = sum, .is_number = true, .until = known ? known->until : model_.after(life)});
    ASSERT_EQ(cache_.get<std::int64_t>(name, options_), sum) << full(name);
  }

  void pass_time() {
    if (!alone || !hand_) return;
    constexpr Duration kSteps[] = {1ns, 1ms, 999ms, 40s, 1h, 30h};
    hand_->advance(kSteps[below(6)]);
  }

  void invalidate_tag() {
    const std::string name = tag();
    cache_.invalidate_tag(name);
    model_.erase_if([&](const std::string&, const StoreModel::Entry& entry) { return entry.tags.contains(name); });
  }

  void delete_pattern() {
    const char* const kPatterns[] = {"k1*", "odd:k?", "nk[0-4]", "nodd:*", "k*5"};
    const std::string pattern = kPatterns[below(5)];
    const std::size_t gone = cache_.delete_pattern(pattern, options_);
    const detail::Glob glob(pattern);
    const std::size_t known = model_.erase_if([&](const auto& name, const auto&) { return glob.matches(name); });
    ASSERT_TRUE(gone == known || (lossy_ && gone < known)) << pattern << ": " << gone << " of " << known;
  }

  void flush_all() {
    if (!alone || below(10) != 0) return;
    cache_.flush_all();
    model_.erase_if([](const auto&, const auto&) { return true; });
  }

  /// Between the model's look at the clock and the manager's.
  static constexpr Duration kRealSlack = 10s;

  CacheManager& cache_;
  const Clock& clock_;
  testing::ManualClock* const hand_ = nullptr;  // moves the clock, if it can be moved
  StoreModel model_;
  std::mt19937 random_;
  EntryOptions options_;
  const bool lossy_;
  std::uint64_t version_ = 0;
};

}  // namespace dsta::cache::testing_support
