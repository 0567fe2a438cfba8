// Entries that are being read are not freed.
#include "l1/hazard.hpp"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "base/sanitizers.hpp"
#include "l1/hit.hpp"

namespace dsta::cache::detail {
namespace {

bool is_announced(const Node* node) {
  const auto announced = Hazards::announced();
  return !announced || std::ranges::binary_search(*announced, node);
}

struct HazardTest : ::testing::Test {
  NodeRef node = make_node<int>(KeyView{"key", {}, 1}, 1);
  std::atomic<std::uint64_t> slot{7};
};

TEST_F(HazardTest, AnEntryIsAnnouncedFromProtectToRelease) {
  EXPECT_FALSE(is_announced(node.get()));
  ASSERT_TRUE(Hazards::protect(thread_record(), node.get(), slot, 7));
  EXPECT_TRUE(is_announced(node.get()));
  Hazards::release(thread_record());
  EXPECT_FALSE(is_announced(node.get()));
}

TEST_F(HazardTest, ASlotThatHoldsAnotherWordByNowIsNotProtected) {
  EXPECT_FALSE(Hazards::protect(thread_record(), node.get(), slot, 8));
  Hazards::release(thread_record());
}

TEST_F(HazardTest, EachThreadAnnouncesByItself) {
  const NodeRef other = make_node<int>(KeyView{"key", {}, 1}, 2);
  std::latch announced(1), looked(1);
  std::jthread thread([&] {
    ASSERT_TRUE(Hazards::protect(thread_record(), other.get(), slot, 7));
    announced.count_down();
    looked.wait();
    Hazards::release(thread_record());
  });
  ASSERT_TRUE(Hazards::protect(thread_record(), node.get(), slot, 7));
  announced.wait();
  EXPECT_TRUE(is_announced(node.get()));
  EXPECT_TRUE(is_announced(other.get()));
  Hazards::release(thread_record());
  EXPECT_TRUE(is_announced(other.get()));
  looked.count_down();
}

/// In a child that may not make these calls any more: what `holds` says there.
bool holds_without(std::vector<unsigned> calls, const std::function<bool()>& holds) {
  std::vector<sock_filter> filter{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const unsigned call : calls) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  const pid_t child = ::fork();
  if (child == 0) {
    const bool forbidden =
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
    ::_exit(forbidden && holds() ? 0 : 1);
  }
  int status = 1;
  ::waitpid(child, &status, 0);
  return status == 0;
}

TEST_F(HazardTest, WhereMembarrierIsForbiddenLaterAnotherBarrierRuns) {
  ASSERT_TRUE(Hazards::protect(thread_record(), node.get(), slot, 7));
  const auto knows_this_one = [&] {
    const auto announced = Hazards::announced();
    return announced && std::ranges::binary_search(*announced, node.get());
  };
  EXPECT_TRUE(holds_without({}, knows_this_one));
#if defined(__x86_64__)
  EXPECT_TRUE(holds_without({__NR_membarrier}, knows_this_one));
#endif
  Hazards::release(thread_record());
}

TEST_F(HazardTest, WithoutAnyBarrierNothingIsFreed) {
  const bool needs_none = !holds_without({__NR_membarrier, __NR_mprotect}, [] { return !Hazards::announced(); });
  EXPECT_EQ(needs_none, DSTA_THREAD_SANITIZER == 1) << "where readers pay for the barrier";
}

TEST_F(HazardTest, AThreadThatEndsGivesItsRecordToTheNext) {
  const auto index_of_a_new_thread = [] {
    std::uint32_t index = 0;
    std::thread([&] { index = thread_record().index; }).join();
    return index;
  };
  const std::uint32_t own = thread_record().index;
  const std::uint32_t first = index_of_a_new_thread();
  EXPECT_NE(first, own);
  EXPECT_EQ(index_of_a_new_thread(), first);
}

/// Reads by a record when its thread ends: after the record that the thread had before is given back.
struct ReadsLast {
  static inline std::uint32_t index = 0;
  ~ReadsLast() { index = thread_record().index; }
};

TEST_F(HazardTest, AThreadThatReadsWhileItEndsKeepsNoRecord) {
  const auto index_at_the_end = [] {
    std::thread([] {
      thread_local ReadsLast last;
      static_cast<void>(&last);
      thread_record();
    }).join();
    return ReadsLast::index;
  };
  const std::uint32_t first = index_at_the_end();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(index_at_the_end(), first);
}

/// Says when it is destroyed.
struct Witness {
  explicit Witness(bool& destroyed) : destroyed_(&destroyed) {}
  Witness(Witness&& other) noexcept : destroyed_(std::exchange(other.destroyed_, nullptr)) {}
  ~Witness() {
    if (destroyed_) *destroyed_ = true;
  }

 private:
  bool* destroyed_;
};

TEST(RemovedEntry, IsFreedOnceNoReaderAnnouncesIt) {
  const TimePoint now{std::chrono::hours(1)};
  Store store{L1Options{.max_bytes = 1 << 20}, now};
  bool destroyed = false;
  const KeyView key{"key", {}, 1};
  NodeRef made = make_node<Witness>(key, destroyed);
  made->refresh_at = made->fresh_until = made->stale_until = TimePoint::max();
  const Node* const node = made.get();
  ASSERT_TRUE(store.put(std::move(made), now));
  const std::atomic<std::uint64_t> slot{7};
  ASSERT_TRUE(Hazards::protect(thread_record(), node, slot, 7));
  ASSERT_TRUE(store.erase(key, now));
  store.contents(now);  // scans the hazard pointers, and frees what it can
  EXPECT_FALSE(destroyed);
  Hazards::release(thread_record());
  store.contents(now);
  EXPECT_TRUE(destroyed);
}

}  // namespace
}  // namespace dsta::cache::detail
