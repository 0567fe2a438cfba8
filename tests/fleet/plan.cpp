#include "plan.hpp"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "board.hpp"
#include "faults.hpp"
#include "kinds.hpp"

namespace dsta::cache::fleet_model {
namespace {

/// Mostly reading; what concerns every cell is rare, or nothing would ever be there.
constexpr OpShare kOperations[] = {{Op::call, "call", 330},
                                   {Op::shared, "shared", 40},
                                   {Op::refresh, "refresh", 40},
                                   {Op::warm, "warm", 8},
                                   {Op::many, "many", 30},
                                   {Op::put, "put", 30},
                                   {Op::invalidate, "invalidate", 60},
                                   {Op::invalidator, "invalidator", 4},
                                   {Op::tag_remove, "tag_remove", 15},
                                   {Op::tag_expire, "tag_expire", 8},
                                   {Op::pattern, "pattern", 5},
                                   {Op::clear, "clear", 8},
                                   {Op::flush, "flush", 2},
                                   {Op::peek, "peek", 40},
                                   {Op::look, "look", 30},
                                   {Op::drift, "drift", 20},
                                   {Op::set, "set", 40},
                                   {Op::get, "get", 70},
                                   {Op::get_or_load, "get_or_load", 40},
                                   {Op::del, "del", 20},
                                   {Op::set_many, "set_many", 8},
                                   {Op::get_many, "get_many", 15},
                                   {Op::del_many, "del_many", 5},
                                   {Op::increment, "increment", 30}};

std::string setting(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}
std::vector<std::string> list(const std::string& text) {
  std::vector<std::string> items;
  std::istringstream stream(text);
  for (std::string item; std::getline(stream, item, ',');) items.push_back(item);
  return items;
}

}  // namespace

std::string_view name_of(Op operation) {
  for (const OpShare& each : kOperations) {
    if (each.operation == operation) return each.name;
  }
  return operation == Op::load ? "LOAD" : operation == Op::fault ? "FAULT" : "check";
}

Plan Plan::from_environment() {
  Plan plan;
  const std::string kinds_given = setting("FLEET_KINDS", "");
  for (const std::string& name : list(kinds_given)) plan.kinds.push_back(kind_named(name));
  for (std::size_t i = 0; kinds_given.empty() && i < fleet_model::kinds().size(); ++i) plan.kinds.push_back(i);

  const auto ops = list(setting("FLEET_OPS", ""));
  for (const OpShare& each : kOperations) {
    if (ops.empty() || std::ranges::find(ops, each.name) != ops.end()) plan.operations.push_back(each);
  }
  if (plan.operations.empty()) throw std::runtime_error("FLEET_OPS names no operation");
  const std::string faults = setting("FLEET_FAULTS", "");
  plan.faults = faults == "none" ? std::vector<std::string>{} : faults.empty() ? Faults::names() : list(faults);
  for (const std::string& name : plan.faults) {
    const auto known = Faults::names();
    if (std::ranges::find(known, name) == known.end()) throw std::runtime_error("no such fault: " + name);
  }

  plan.l1 = setting("FLEET_L1", "mixed");
  plan.processes = std::min<std::size_t>(kCoordinator, std::stoul(setting("FLEET_PROCESSES", "3")));
  plan.threads = std::min<std::size_t>(8, std::stoul(setting("FLEET_THREADS", "3")));
  plan.first_seed = std::stoull(setting("FLEET_SEED", "1"));
  plan.go_on = setting("FLEET_GO_ON", "0") != "0";
  const std::string amount = setting("DSTA_CACHE_FLEET", "2x6");
  plan.seeds = std::stoull(amount);
  plan.seconds = std::chrono::seconds(std::stoull(amount.substr(amount.find('x') + 1)));
  return plan;
}

std::vector<OpShare> Plan::all_operations() { return {std::begin(kOperations), std::end(kOperations)}; }

Op Plan::draw_operation(std::mt19937_64& random) const {
  unsigned all = 0;
  for (const OpShare& each : operations) all += each.share;
  std::uint64_t draw = random() % all;
  for (const OpShare& each : operations) {
    if (draw < each.share) return each.operation;
    draw -= each.share;
  }
  return operations.back().operation;
}

std::size_t Plan::draw_cell(std::mt19937_64& random) const {
  const std::size_t kind = kinds[random() % kinds.size()];
  return cell_of(kind, random() % kArguments);
}

}  // namespace dsta::cache::fleet_model
