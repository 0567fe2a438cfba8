#pragma once
#include <cstddef>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "board.hpp"
#include "child_process.hpp"
#include "plan.hpp"
#include "redis_server.hpp"
#include "steps.hpp"

namespace dsta::cache::fleet_model {

/// Runs one seed: starts the processes, lets them work under faults, holds them, asks at quiet points. One thread.
class Coordinator {
 public:
  /// `worker`: the program of a process. `directory`: where the board and the log of the processes are.
  Coordinator(const Plan& plan, Board& board, std::string worker, std::string directory);
  ~Coordinator();

  void run();
  std::size_t processes() const { return plan_.processes; }

  void stop_for(std::size_t process, const std::function<void()>& meanwhile);
  void replace(std::size_t process, const std::function<void()>& meanwhile);

 private:
  void start(std::size_t process);
  void round(std::int64_t milliseconds, bool with_faults);
  void watch();
  bool over() const;

  const Plan& plan_;
  Board& board_;
  const std::string worker_, directory_;
  testing_support::RedisServer server_;
  std::mt19937_64 random_;
  Steps steps_;
  std::vector<std::optional<testing_support::ChildProcess>> children_;
};

}  // namespace dsta::cache::fleet_model
