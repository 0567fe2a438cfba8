#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "child_process.hpp"
#include "eventually.hpp"
#include "fleet_board.hpp"
#include "mapped_file.hpp"

namespace dsta::cache::testing_support {

/// Processes that use one cache, with a board that they and the test share; they end with it. One thread.
class Fleet {
 public:
  explicit Fleet(std::string program) : program_(std::move(program)) { board_.emplace(directory_ + "/board"); }
  ~Fleet() {
    workers_.clear();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  FleetBoard& board() { return **board_; }
  /// Starts one in a role of fleet_worker.cpp, with what the role asks for.
  ChildProcess& start(const std::string& role, const std::string& url, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"fleet_worker", role, url, directory_ + "/board"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return workers_.emplace_back(program_, std::move(arguments), directory_ + "/log");
  }
  /// Whether a count of the board gets there in time; no as soon as all workers have ended.
  ::testing::AssertionResult reaches(const FleetBoard::Count& count, std::uint64_t target,
                                     std::chrono::milliseconds patience = std::chrono::seconds(30)) const {
    eventually([&] { return count >= target || !any_runs(); }, patience);
    if (count >= target) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << count << " of " << target << "; the log: " << log();
  }
  ::testing::AssertionResult all_end(std::chrono::milliseconds patience = std::chrono::seconds(30)) {
    for (ChildProcess& worker : workers_) {
      if (!worker.wait_for_end(patience)) return ::testing::AssertionFailure() << "a worker hangs; the log: " << log();
    }
    return ::testing::AssertionSuccess();
  }
  /// What the workers wrote.
  std::string log() const {
    std::ifstream file(directory_ + "/log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  bool any_runs() const {
    return std::any_of(workers_.begin(), workers_.end(), [](const ChildProcess& each) { return each.running(); });
  }
  static std::string make_directory() {
    std::string path = "/tmp/dsta-fleet-XXXXXX";
    if (!::mkdtemp(path.data())) throw net_error("mkdtemp");
    return path;
  }
  const std::string program_;
  const std::string directory_ = make_directory();
  std::optional<MappedFile<FleetBoard>> board_;
  std::list<ChildProcess> workers_;
};

}  // namespace dsta::cache::testing_support
