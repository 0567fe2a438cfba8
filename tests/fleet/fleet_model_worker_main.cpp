/// One process of the fleet: fleet_model_worker BOARD PROCESS URL on|off; see coordinator.cpp.
#include <cstdio>
#include <exception>
#include <string>

#include "mapped_file.hpp"
#include "worker.hpp"

int main(int count, char** arguments) {
  using namespace dsta::cache::fleet_model;
  if (count < 5) return 2;
  try {
    const dsta::cache::testing_support::MappedFile<Board> board(arguments[1]);
    const Plan plan = Plan::from_environment();
    Worker worker(*board, plan, std::stoul(arguments[2]), arguments[3], std::string(arguments[4]) == "on");
    worker.run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fleet_model_worker: %s\n", error.what());
    return 1;
  }
}
