// The lock of a shard.
#include "l1/spin_lock.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::scaled;

struct Account {
  SpinLock lock;
  std::size_t balance DSTA_GUARDED_BY(lock) = 0;
};

TEST(SpinLock, OneThreadHoldsItAtATime) {
  Account account;
  const std::size_t rounds = scaled(100'000);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < rounds; ++i) {
        const SpinGuard guard(account.lock);
        ++account.balance;
      }
    });
  }
  threads.clear();
  const SpinGuard guard(account.lock);
  EXPECT_EQ(account.balance, 4 * rounds);
}

}  // namespace
}  // namespace dsta::cache::detail
