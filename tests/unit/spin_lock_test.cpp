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
  const std::size_t rounds = scaled(20'000);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < rounds; ++i) {
        const SpinGuard guard(account.lock);
        const std::size_t seen = account.balance;
        if (i % 64 == 0) std::this_thread::yield();  // others come while it is held, also on one processor
        account.balance = seen + 1;
      }
    });
  }
  threads.clear();
  const SpinGuard guard(account.lock);
  EXPECT_EQ(account.balance, 4 * rounds);
}

}  // namespace
}  // namespace dsta::cache::detail
