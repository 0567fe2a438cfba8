// The model of tests/fleet in one process, without a server: threads alone. Every check is strict.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>

#include "fleet/findings_text.hpp"
#include "fleet/worker.hpp"
#include "heavy.hpp"
#include "scale.hpp"

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
    board->step = 1;
    std::jthread running([&] { worker.run(); });
    std::this_thread::sleep_for(plan.seconds / 3);
    board->step = 4;
    running.join();
    EXPECT_EQ(board->findings_all, 0u) << findings_text(*board);
    EXPECT_GT(board->operations, 100u);
    for (const auto& stream : board->busy[0]) EXPECT_EQ(stream, 0);
  }
}

}  // namespace
}  // namespace dsta::cache::fleet_model
