#pragma once
#include <cstdint>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "fault.hpp"

namespace dsta::cache::testing_support {

/// Decides which fault happens to which connection and which request. One thread.
///
/// A schedule draws from a generator of each connection's own, seeded by the schedule and the connection's number: what
/// a connection meets depends on its own requests only, not on how threads take turns.
class FaultPlan {
 public:
  using Generator = std::mt19937_64;

  void set(Fault fault) {
    faults_.clear();
    faults_.push_back({std::move(fault), 1});
    begin(false, 0);
  }
  void schedule(std::uint64_t seed, std::vector<WeightedFault> faults) {
    faults_ = std::move(faults);
    begin(true, seed);
  }

  /// Counts the plans: what an earlier one held is let go.
  std::uint64_t epoch() const { return epoch_; }
  Generator generator(std::uint64_t connection) const {
    std::seed_seq mixed{seed_, seed_ >> 32, connection};
    return Generator(mixed);
  }
  /// The fault that holds for all there is, whether a request asks or not; `pass` in a schedule.
  Fault::Kind standing() const {
    const bool all = !drawn_ && faults_.size() == 1 && faults_[0].fault.command.empty() &&
                     faults_[0].fault.limit == 0 && faults_[0].fault.skipped == 0;
    return all ? faults_[0].fault.kind : Fault::Kind::pass;
  }
  Fault::Way standing_way() const { return faults_.empty() ? Fault::Way::both : faults_[0].fault.way; }

  Fault at_connection(Generator& random) { return decide(random, "", true); }
  Fault at_message(Generator& random, std::string_view command) { return decide(random, command, false); }

 private:
  void begin(bool drawn, std::uint64_t seed) {
    drawn_ = drawn;
    seed_ = seed;
    ++epoch_;
    seen_.assign(faults_.size(), 0);
  }

  Fault decide(Generator& random, std::string_view command, bool connecting) {
    std::uint64_t total = 0;
    for (const WeightedFault& each : faults_) total += each.weight;
    if (total == 0) return {};
    std::uint64_t ticket = drawn_ ? random() % total : 0;
    std::size_t chosen = 0;
    while (ticket >= faults_[chosen].weight) ticket -= faults_[chosen++].weight;
    const Fault& fault = faults_[chosen].fault;
    if (fault.at_connection() != connecting) return {};
    if (!connecting && !fault.command.empty() && fault.command != command) return {};
    const std::size_t number = seen_[chosen]++;
    if (number < fault.skipped || (fault.limit > 0 && number >= fault.skipped + fault.limit)) return {};
    return fault;
  }

  std::vector<WeightedFault> faults_;
  std::vector<std::size_t> seen_;  // how many each fault was asked for
  bool drawn_ = false;
  std::uint64_t seed_ = 0;
  std::uint64_t epoch_ = 1;
};

}  // namespace dsta::cache::testing_support
