#include "worker.hpp"

#include <chrono>

namespace dsta::cache::fleet_model {
namespace {

using namespace std::chrono_literals;

ManagerOptions options_for(const std::string& url, bool l1) {
  ManagerOptions options;
  options.url = url;
  if (url != "memory:") {
    options.l1.enabled = l1;
    options.l1.ping_period = std::chrono::nanoseconds(Oracle::kPing);
    options.pool.socket_timeout = options.pool.connect_timeout = 300ms;
  }
  options.log.level = LogLevel::off;
  return options;
}

}  // namespace

Worker::Worker(Board& board, const Plan& plan, std::size_t process, const std::string& url, bool l1)
    : board_(board),
      plan_(plan),
      process_(process),
      l1_(l1),
      cache_(options_for(url, l1)),
      history_(board, process),
      oracle_(board, process, l1, [this] { return cache_.get_stats().pending_invalidations; }),
      sources_(board, oracle_, history_) {
  // What a process wraps must not matter to what it invalidates, so the others do not wrap all.
  Random random(board.seed * 31 + process);
  const std::size_t plain = kind_named("plain");
  for (std::size_t kind = 0; kind < kinds().size(); ++kind) {
    const bool left_out = process > 0 && random() % 5 == 0 && kind != plain;
    subjects_.emplace_back();
    if (left_out || kinds()[kind].type != Kind::function) continue;
    subjects_.back() =
        make_subject(cache_, sources_, kind, kinds()[kind].name == "nested" ? subjects_[plain].get() : nullptr);
  }
}

Worker::~Worker() { ended_ = true; }

void Worker::run() {
  std::vector<std::jthread> threads;
  threads.emplace_back([this] { measure_lag(); });
  for (std::size_t i = 0; i < plan_.threads; ++i) threads.emplace_back([this, i] { work(i); });
  ++board_.ready;
  std::uint64_t done = board_.task_number;
  while (board_.step != 4) {
    std::this_thread::sleep_for(1ms);
    const std::uint64_t number = board_.task_number;
    if (board_.step != 3 || number == done || board_.task_process != process_) continue;
    done = number;
    sources_.hurry = true;
    do_task(static_cast<Task>(board_.task.load()));
    sources_.hurry = false;
    board_.task_done = number;
  }
  ended_ = true;
}

/// The streams of operations depend on the seed alone; how those of different threads interleave does not.
void Worker::work(std::size_t thread) {
  Random random(board_.seed * 1'000'003 + process_ * 101 + thread);
  for (std::uint64_t count = 0; !ended_; ++count) {
    if (board_.step == 1) {
      step(random);
      if (random() % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 1000));
      continue;
    }
    ++board_.holding[process_];
    while (board_.step != 1 && !ended_) std::this_thread::sleep_for(1ms);
    --board_.holding[process_];
  }
}

void Worker::step(Random& random) {
  const Op operation = plan_.draw_operation(random);
  const std::size_t any = plan_.draw_cell(random);
  const std::size_t cell = random() % 3 == 0 ? board_.hot.load() : any;
  switch (operation) {
    case Op::invalidator:
    case Op::tag_remove:
    case Op::tag_expire:
    case Op::pattern:
    case Op::clear:
    case Op::flush:
    case Op::invalidate:
    case Op::del:
      remove(operation, cell, random);
      break;
    default:
      if (kind_of(cell).type == Kind::function) {
        do_function(operation, cell, random);
      } else {
        do_manual(operation, cell, random);
      }
  }
  oracle_.confirm();
}

/// A thread that wants to wake at a time and does not: so long whatever else had to happen was late, too.
void Worker::measure_lag() {
  while (!ended_) {
    const std::uint64_t interruptions = board_.interrupted[process_];
    const std::int64_t begun = now();
    std::this_thread::sleep_for(10ms);
    const std::int64_t late = now() - begun - 10 * kMs;
    if (interruptions != board_.interrupted[process_]) continue;  // stopped on purpose
    if (late < 10 * kMs || (late < board_.lag && now() - board_.lag_at < 1000 * kMs)) continue;
    board_.lag = late;
    board_.lag_at = now();
  }
}

}  // namespace dsta::cache::fleet_model
