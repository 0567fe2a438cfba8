#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace dsta::cache::fleet_model {

/// What threads do. The order is that of kOperations.
enum class Op : std::uint32_t {
  call,
  shared,
  refresh,
  warm,
  many,
  put,
  invalidate,
  invalidator,
  tag_remove,
  tag_expire,
  pattern,
  clear,
  flush,
  peek,
  look,
  drift,
  set,
  get,
  get_or_load,
  del,
  set_many,
  get_many,
  del_many,
  increment,
  // Not drawn: loads, what is asked at quiet points, faults.
  load,
  check,
  fault
};
struct OpShare {
  Op operation;
  std::string_view name;
  unsigned share;
};
std::string_view name_of(Op operation);

/// Environment: which kinds, operations and faults take part (FLEET_KINDS, FLEET_OPS, FLEET_FAULTS: comma-separated
/// names), whether processes have an in-process level (FLEET_L1: mixed, on, off), how many processes and threads
/// (FLEET_PROCESSES, FLEET_THREADS), seeds × seconds (DSTA_CACHE_FLEET=50x10), the first seed (FLEET_SEED), and
/// whether a run goes on after a finding (FLEET_GO_ON=1).
struct Plan {
  std::vector<std::size_t> kinds;
  std::vector<OpShare> operations;
  std::vector<std::string> faults;
  std::string l1;
  std::size_t processes = 3, threads = 3;
  std::uint64_t first_seed = 1, seeds = 2;
  std::chrono::seconds seconds{6};
  bool go_on = false;
  /// The processes share nothing, which the model must find to be wrong.
  bool apart = false;

  /// Throws std::runtime_error for a name that is none.
  static Plan from_environment();

  static std::vector<OpShare> all_operations();

  Op draw_operation(std::mt19937_64& random) const;
  std::size_t draw_cell(std::mt19937_64& random) const;
};

}  // namespace dsta::cache::fleet_model
