// Processes with threads that do everything that the interface offers, on values that say what they are, against a
// model that knows what each reader may see: tests/fleet. See plan.hpp for the environment that narrows a finding.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "coordinator.hpp"
#include "findings_text.hpp"
#include "kinds.hpp"
#include "mapped_file.hpp"
#include "redis_server.hpp"

namespace dsta::cache::fleet_model {
namespace {

/// A directory of its own, gone at the end.
class Directory {
 public:
  Directory() {
    if (!::mkdtemp(path_.data())) throw testing_support::net_error("mkdtemp");
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string read(const std::string& name) const {
    std::ifstream file(path_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string path_ = "/tmp/dsta-fleet-model-XXXXXX";
};

/// Runs one seed and passes its board to `check`.
template <class Check>
void run_seed(const Plan& plan, std::uint64_t seed, Check check) {
  const Directory directory;
  const testing_support::MappedFile<Board> board(directory.path() + "/board");
  board->beginning = now();
  board->seed = seed;
  { Coordinator(plan, *board, FLEET_MODEL_WORKER, directory.path()).run(); }
  std::printf("seed %llu: %llu operations, %llu hits, %llu loads\n", static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(board->operations), static_cast<unsigned long long>(board->hits),
              static_cast<unsigned long long>(board->loads_begun));
  check(*board, directory.read("log"));
}

TEST(FleetModel, EveryReaderSeesWhatItMay) {
  if (!testing_support::RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  const Plan plan = Plan::from_environment();
  for (std::uint64_t seed = plan.first_seed; seed < plan.first_seed + plan.seeds; ++seed) {
    run_seed(plan, seed, [&](const Board& board, const std::string& log) {
      EXPECT_EQ(board.findings_all, 0u) << findings_text(board) << log;
      EXPECT_EQ(log, "") << "with seed " << seed;
      EXPECT_GT(board.loads_begun, 10u);
    });
    if (HasFailure() && !plan.go_on) return;
  }
}

/// That a run is quiet says something only if it would not be otherwise.
TEST(FleetModel, FindsMissedInvalidationsWhereNothingIsShared) {
  if (!testing_support::RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  Plan plan;
  plan.kinds = {kind_named("plain"), kind_named("static_tags"), kind_named("text")};
  plan.operations = Plan::all_operations();
  plan.l1 = "off";
  plan.apart = plan.go_on = true;
  plan.seconds = std::chrono::seconds(2);
  run_seed(plan, 1, [](const Board& board, const std::string&) {
    ASSERT_GT(board.findings_all, 0u);
    EXPECT_NE(findings_text(board).find("outdated"), std::string::npos) << findings_text(board);
  });
}

}  // namespace
}  // namespace dsta::cache::fleet_model
