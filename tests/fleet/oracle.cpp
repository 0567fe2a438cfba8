#include "oracle.hpp"

#include <algorithm>
#include <cstdlib>

namespace dsta::cache::fleet_model {
namespace {

/// Effects of a fault that last longer than it: an in-process level without its channel (reconnecting takes up to
/// 1.4 s), a server that is given up.
constexpr std::int64_t kAftermath = 2000 * kMs;
/// Effects of an invalidation in a process that is notified of it.
constexpr std::int64_t kEcho = 300 * kMs;

std::string at(const Board& board, std::int64_t moment) {
  return std::to_string(static_cast<double>(moment - board.beginning) / 1e6) + " ms";
}

}  // namespace

bool changing(const Cell& cell) {
  return std::ranges::any_of(cell.changing, [](const auto& count) { return count > 0; });
}

bool Oracle::faulty(std::int64_t since) const {
  return board_.fault_generation % 2 == 1 || board_.fault_ended > since - kAftermath;
}

std::int64_t Oracle::lag() const { return now() - board_.lag_at < 3000 * kMs ? board_.lag.load() : 0; }

Oracle::Reader Oracle::reader(std::size_t cell_number, bool at_server) const {
  const Level level = kind_of(cell_number).level;
  return {cell_number, now(), !l1_ || at_server || level == Level::l2 || kind_of(cell_number).raw};
}

bool Oracle::enforced(const Floor& floor, const Reader& reader) const {
  const std::int64_t raised = floor.at;
  if (raised == 0 || raised >= reader.begun) return false;
  if (floor.process == process_) return true;
  if (floor.reach == Floor::own) return false;
  // Values of one process alone: others reach them by tags and cache_clear, and only where something is reported.
  if (kind_of(reader.cell).level == Level::l1 && floor.reach < Floor::tag) return false;
  if (reader.strict) return true;
  const bool fault = board_.fault_generation % 2 == 1;
  // Loaded while nothing is reported, they are served until the channel is back.
  if (kind_of(reader.cell).level == Level::l1 && (fault || board_.fault_ended > reader.begun - 2 * kPing)) return false;
  const bool silent = fault || board_.fault_ended > raised - 2 * kPing;
  return reader.begun - raised > kReportDelay + lag() + (silent ? 2 * kPing : 0);
}

bool Oracle::crossed(const Cell& cell_, const Stamp& stamp, const Floor& floor) const {
  if (stamp.origin != Stamp::written) return false;
  const Write& write = cell_.writes[stamp.version % Cell::kWrites];
  if (write.version != stamp.version) return faulty(floor.begun);  // forgotten: it may have been an open one
  return write.ended >= floor.begun;
}

void Oracle::check_floors(const Reader& reader, const Stamp& stamp) {
  const Cell& known = cell(reader.cell);
  for (const Floor& floor : known.floors) {
    const std::int64_t raised = floor.at;
    const std::uint64_t version = floor.version, process = floor.process;
    if (version <= stamp.version || !enforced(floor, reader) || crossed(known, stamp, floor)) continue;
    if (floor.at != raised) continue;  // replaced while it was read
    wrong(reader.cell, stamp.made_at == 0 ? raised : std::min(raised, reader.begun),
          std::string("outdated, ") + (stamp.origin == Stamp::loaded ? "loaded" : "written") +
              (process == process_ ? ", own invalidation"
               : reader.strict     ? ", no in-process level"
                                   : ""),
          "a call that began at " + at(board_, reader.begun) + " in p" + std::to_string(process_) + " got v" +
              std::to_string(stamp.version) + " made at " + std::to_string(stamp.made_at) + " ms, though v" +
              std::to_string(version) + " was made known by p" + std::to_string(process) + " from " +
              at(board_, floor.begun) + " to " + at(board_, raised));
    return;
  }
}

void Oracle::check_empty(const Reader& reader) {
  // Loaders answer nothing for every third version; one of those that may be seen must be such.
  std::uint64_t lowest = 0;
  for (const Floor& floor : cell(reader.cell).floors) {
    if (enforced(floor, reader)) lowest = std::max(lowest, floor.version.load());
  }
  const std::uint64_t latest = cell(reader.cell).source;
  if ((lowest + 2) / 3 * 3 <= latest) return;
  wrong(reader.cell, reader.begun, "outdated, empty",
        "nothing, though versions " + std::to_string(lowest) + " to " + std::to_string(latest) + " are something");
}

void Oracle::saw(const Reader& reader, const std::optional<Stamp>& stamp, bool empty) {
  if (empty) return check_empty(reader);
  if (!stamp) return wrong(reader.cell, reader.begun, "damaged value", "a value without a stamp");
  if (stamp->cell != reader.cell) {
    return wrong(reader.cell, reader.begun, "value of another key",
                 "a value of " + (stamp->cell < cells() ? key_of(stamp->cell) : std::to_string(stamp->cell)));
  }
  const Cell& known = cell(reader.cell);
  if (stamp->version > known.source) wrong(reader.cell, reader.begun, "version from nowhere", "");
  const Write& write = known.writes[stamp->version % Cell::kWrites];
  if (stamp->origin == Stamp::written && write.version == stamp->version && write.refused && write.ended < reader.begun)
    wrong(reader.cell, reader.begun, "a value that was not stored", "v" + std::to_string(stamp->version));
  check_floors(reader, *stamp);
  check_age(reader, *stamp);
}

/// Nobody gives a refresh what was there, or what was under way: it loads by itself.
void Oracle::refreshed(const Reader& reader, const std::optional<Stamp>& stamp, std::uint64_t begun) {
  if (!stamp || kind_of(reader.cell).keeps_previous) return;
  const bool is_older = stamp->origin == Stamp::written || stamp->made_at + 1 < begun;
  if (is_older) wrong(reader.cell, reader.begun, "a refresh that did not load", "v" + std::to_string(stamp->version));
}

/// A ttl counts from the end of the load. It is looked up, since some take longer than the ttl.
void Oracle::check_age(const Reader& reader, const Stamp& stamp) {
  const Kind& kind = kind_of(reader.cell);
  if (kind.keeps_previous) return;
  const auto ms = [&](std::int64_t moment) { return (moment - board_.beginning) / kMs; };
  std::int64_t born = static_cast<std::int64_t>(stamp.made_at);
  const auto too_old = [&] { return ms(reader.begun) - born > kind.ttl_ms + kind.stale_ms + 250 + lag() / kMs; };
  if (!too_old()) return;
  for (const Load& load : cell(reader.cell).loads) {
    const std::int64_t started = load.started, ended = load.ended;
    if (started == 0 || load.version != stamp.version || std::abs(ms(started) - born) > 5) continue;
    born = std::max(born, ms(ended == 0 ? reader.begun : ended));
  }
  if (too_old())
    wrong(reader.cell, reader.begun, "older than its ttl", std::to_string(ms(reader.begun) - born) + " ms old");
}

/// A call may take as long as its own loads, and those of others that it may join: not ones that were revoked before it
/// began. Where the server or a process was disturbed: the lease of a process that died (3 s), deadlines of requests.
void Oracle::took(const Reader& reader, std::int64_t own) {
  const std::int64_t ended = now(), excess = ended - reader.begun - own - lag();
  const Kind& kind = kind_of(reader.cell);
  const std::int64_t most = (faulty(reader.begun) ? 5500 : 2000) * kMs;
  const auto text = [&] { return std::to_string(excess / kMs) + " ms beside its own loads"; };
  if (excess > most) return wrong(reader.cell, reader.begun, "takes too long", text());
  if (excess < 300 * kMs || faulty(reader.begun) || kind.prefix == "lim" || kind.name == "nested" ||
      kind.name == "on_executor")
    return;
  const Cell& known = cell(reader.cell);
  // Where no channel reports what others invalidate, a later caller waits for the load that runs, and loads then.
  const bool one_at_a_time = kind.level == Level::l1 && !l1_;
  std::int64_t revoked_at = 0, joined = 0;
  bool revoked = false;
  for (const Floor& floor : known.floors) {
    // Which tags only the value names is not known before its load ends, so that has to be waited for.
    const bool known_now = kind.tags != Kind::by_value || floor.reach != Floor::tag;
    // A load that began while the invalidation was under way may have been too late to be revoked.
    if (known_now && !one_at_a_time && enforced(floor, reader)) revoked_at = std::max(revoked_at, floor.begun.load());
  }
  for (const Load& load : known.loads) {
    const std::int64_t started = load.started, end = load.ended ? load.ended.load() : ended;
    if (started == 0 || end < reader.begun || started > ended) continue;
    if (started < revoked_at) {
      revoked = true;
    } else {
      joined += std::min(end, ended) - std::max(started, reader.begun);
    }
  }
  if (excess - joined < 300 * kMs) return;
  wrong(reader.cell, reader.begun, revoked ? "waits for a revoked load" : "waits for nothing", text());
}

bool Oracle::must_be_there(std::size_t number, std::int64_t begun) const {
  const Cell& known = cell(number);
  return kind_of(number).kept && !changing(known) && known.changed < begun - kEcho && !faulty(begun);
}

void Oracle::wrong(std::size_t number, std::int64_t since, const std::string& title, const std::string& details) const {
  report(board_, number, since, title, details);
}

std::size_t Oracle::begin_load(std::size_t number, std::uint64_t version, std::int64_t started) {
  Cell& known = cell(number);
  const std::size_t slot = known.next_load++ % Cell::kLoads;
  Load& mine = known.loads[slot];
  mine.started = 0;
  mine.ended = 0;
  mine.version = version;
  mine.process = process_;
  mine.started = started;
  ++board_.loads_begun;
  check_double_load(number, mine);
  check_limit(number, mine);
  return slot;
}

void Oracle::end_load(std::size_t number, std::size_t slot) { cell(number).loads[slot].ended = now(); }

/// Loads under a prefix with a limit of one.
void Oracle::check_limit(std::size_t number, const Load& mine) const {
  if (kind_of(number).name != "limited") return;
  const std::size_t first = cell_of(number / kArguments, 0);
  for (std::size_t other = first; other < first + kArguments; ++other) {
    for (const Load& load : cell(other).loads) {
      if (&load == &mine || load.process != process_ || load.started == 0 || load.ended != 0) continue;
      wrong(number, load.started, "more loads than limit_loads allows", key_of(other) + " is loaded, too");
    }
  }
}

/// Two loads of one key at once are right when something changed the key since the first began, or when they share no
/// lease: values of one process alone, raw values of two.
void Oracle::check_double_load(std::size_t number, const Load& mine) const {
  const Cell& known = cell(number);
  const Kind& kind = kind_of(number);
  // Where a ttl may end during a load, a refresh in the background and a load of a caller may meet.
  if (!kind.kept || kind.times_out) return;
  for (const Load& other : known.loads) {
    const std::int64_t started = other.started;
    if (&other == &mine || started == 0 || other.ended != 0 || started >= mine.started) continue;
    if (other.process != process_ && (kind.raw || kind.level == Level::l1)) continue;
    if (changing(known) || known.changed > started - kEcho || faulty(started)) continue;
    if (other.ended != 0) continue;
    return wrong(number, started, "two loads at once",
                 "one in p" + std::to_string(other.process) + " since " + at(board_, started) + ", another in p" +
                     std::to_string(process_));
  }
}

}  // namespace dsta::cache::fleet_model
