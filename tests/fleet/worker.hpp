#pragma once
#include <dsta/cache/invalidator.hpp>
#include <dsta/cache/manager.hpp>
#include <dsta/cache/warmer.hpp>

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "history.hpp"
#include "oracle.hpp"
#include "plan.hpp"
#include "steps.hpp"
#include "subjects.hpp"

namespace dsta::cache::fleet_model {

/// One process of the fleet: threads that do random operations while the board says so, and hold when it says so.
class Worker {
 public:
  Worker(Board& board, const Plan& plan, std::size_t process, const std::string& url, bool l1);
  ~Worker();

  /// Runs until the board's step is the end.
  void run();

 private:
  using Random = std::mt19937_64;

  void work(std::size_t thread);
  void step(Random& random);
  void measure_lag();
  /// Runs `body` as an event and returns what it returned; exceptions that are not allowed are findings.
  template <class Body>
  void guarded(Op operation, const CellBits& cells, Body body);
  template <class Body>
  void guarded(Op operation, std::size_t cell, Body body) {
    guarded(operation, bits_of({cell}), std::move(body));
  }

  // Functions: function_ops.cpp.
  void do_function(Op operation, std::size_t cell, Random& random);
  void read(Op operation, std::size_t cell, Random& random);
  void refresh(Op operation, std::size_t cell);
  void many(std::size_t cell, Random& random);
  void peek(std::size_t cell);
  void put(std::size_t cell, Random& random);

  // Manual calls: manual_ops.cpp.
  void do_manual(Op operation, std::size_t cell, Random& random);
  void set(std::size_t cell, Random& random);
  void set_many(std::size_t kind);
  void get(Op operation, std::size_t cell, Random& random);
  void get_many(std::size_t kind);
  void get_or_load(std::size_t cell);
  void increment(std::size_t cell);
  void read_counter(std::size_t cell);

  // Removals: removals.cpp.
  void remove(Op operation, std::size_t cell, Random& random);
  void remove_cells(Op operation, std::vector<std::size_t> cells, Floor::Reach reach, const std::function<void()>& how);
  void expire(std::vector<std::size_t> cells, const std::string& tag);

  // Quiet points: quiet.cpp.
  void do_task(Task task);
  void drift();
  void quiesce();
  void look_whether_there();
  void read_all();
  void freshness();
  void cold();

  /// Not so where there is no level that its kind is kept at.
  bool can_keep(std::size_t cell) const { return l1_ || kind_of(cell).level != Level::l1; }
  const Subject* subject(std::size_t cell) const { return subjects_[cell / kArguments].get(); }

  Board& board_;
  const Plan& plan_;
  const std::size_t process_;
  const bool l1_;
  CacheManager cache_;
  History history_;
  Oracle oracle_;
  Sources sources_;
  CacheInvalidator invalidator_{cache_};
  CacheWarmer warmer_{cache_};
  std::vector<std::unique_ptr<Subject>> subjects_;
  std::atomic<bool> ended_ = false;
};

template <class Body>
void Worker::guarded(Op operation, const CellBits& cells, Body body) {
  const std::size_t first = first_of(cells);
  Event& event = history_.begin(operation, cells);
  Moment& busy = board_.busy[process_][history_.stream()];
  const std::int64_t begun = now();
  busy = begun;
  Sources::reset();
  ++board_.operations;
  Outcome outcome = Outcome::threw;
  std::uint64_t version = 0;
  const auto unexpected = [&](const std::string& what) {
    oracle_.wrong(first, begun, "exception of " + std::string(name_of(operation)), what);
  };
  try {
    body(outcome, version);
  } catch (const SourceDown&) {
    if (!kind_of(first).fails) unexpected("SourceDown of another function");
  } catch (const LoadTimeoutError& error) {
    if (!kind_of(first).times_out) unexpected(error.what());
  } catch (const std::exception& error) {
    unexpected(error.what());
  }
  busy = 0;
  History::end(event, outcome, version);
}

}  // namespace dsta::cache::fleet_model
