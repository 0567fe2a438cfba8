// The model of tests/fleet in one process, without a server: threads alone. Every check is strict.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>

#include "fleet/findings_text.hpp"
#include "fleet/steps.hpp"
#include "fleet/worker.hpp"

namespace dsta::cache::fleet_model {
namespace {

TEST(FleetModelInProcess, EveryReaderSeesWhatItMay) {
  Plan plan = Plan::from_environment();
  plan.threads = 6;
  for (std::uint64_t seed = plan.first_seed; seed < plan.first_seed + plan.seeds; ++seed) {
    const auto board = std::make_unique<Board>();
    board->beginning = now();
    board->seed = seed;
    Worker worker(*board, plan, 0, "memory:", true);
    std::mt19937_64 random(seed);
    Steps steps(*board, 1, plan.threads);
    const auto over = [&] { return board->findings > 0 && !plan.go_on; };
    {
      const std::jthread running([&] { worker.run(); });
      ASSERT_TRUE(steps.started());
      const std::int64_t end = now() + std::chrono::nanoseconds(plan.seconds).count() / 3;
      while (now() < end && !over()) {
        steps.work();
        for (int moment = 0; moment < 10; ++moment) {
          steps.look_at(plan.draw_cell(random));
          std::this_thread::sleep_for(std::chrono::milliseconds(70));
        }
        if (!steps.hold()) break;
        steps.quiet_point([] { return std::size_t{0}; }, over);
      }
      steps.end();
    }
    EXPECT_EQ(board->findings_all, 0u) << findings_text(*board);
    EXPECT_GT(board->operations, 100u);
  }
}

}  // namespace
}  // namespace dsta::cache::fleet_model
