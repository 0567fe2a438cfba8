#include "oracle.hpp"

namespace dsta::cache::fleet_model {

Oracle::Change::Change(Oracle& oracle, What what, std::vector<std::size_t> cells, Floor::Reach reach)
    : oracle_(&oracle), what_(what), cells_(std::move(cells)), reach_(reach), begun_(now()) {
  for (const std::size_t number : cells_) {
    Cell& cell = oracle_->cell(number);
    ++cell.changing[oracle_->process_];
    ++cell.changes;
    raise(cell.changed, begun_);
    if (what_ == removal) raise(cell.removed, begun_);
    versions_.push_back(what_ == refresh || what_ == expiry ? cell.source.load() : ++cell.source);
    if (what_ != write) continue;
    Write& record = cell.writes[versions_.back() % Cell::kWrites];
    record.ended = Write::kOpen;
    record.refused = 0;
    record.begun = begun_;
    record.version = versions_.back();
  }
  statuses_.assign(cells_.size(), 0);
}

Stamp Oracle::Change::stamp(std::size_t i) const {
  return {cells_[i], versions_[i], Stamp::written, oracle_->milliseconds()};
}

void Oracle::Change::raise_floors(Floor::Reach reach) const {
  const std::int64_t returned = now();
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    if (statuses_[i] != 0) continue;
    Cell& cell = oracle_->cell(cells_[i]);
    Floor& floor = cell.floors[cell.next_floor++ % Cell::kFloors];
    floor.at = 0;
    floor.version = versions_[i];
    floor.begun = begun_;
    floor.process = oracle_->process_;
    floor.reach = reach;
    floor.at = returned;
  }
}

/// Nothing comes of it any more.
void Oracle::Change::complete() const {
  for (const std::size_t number : cells_) {
    Cell& cell = oracle_->cell(number);
    raise(cell.changed, now());
    if (what_ == removal) raise(cell.removed, now());
    ++cell.changes;
    --cell.changing[oracle_->process_];
  }
}

void Oracle::Change::stored(std::size_t i, int status) {
  statuses_[i] = status;
  Cell& cell = oracle_->cell(cells_[i]);
  Write& record = cell.writes[versions_[i] % Cell::kWrites];
  if (status != 0) raise(cell.removed, now());
  if (record.version != versions_[i]) return;
  record.refused = status == 1 ? 1 : 0;
  if (status != 2) record.ended = now();
}

bool Oracle::Change::done() {
  const bool open = what_ == removal && oracle_->pending_() > 0;
  if (makes_known_) raise_floors(open ? Floor::own : reach_);
  if (!open) {
    complete();
    return true;
  }
  const std::lock_guard lock(oracle_->mutex_);
  oracle_->unconfirmed_.push_back(*this);
  return false;
}

void Oracle::confirm() {
  std::vector<Change> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting.swap(unconfirmed_);
  }
  if (waiting.empty()) return;
  const bool confirmed = pending_() == 0;
  for (const Change& change : waiting) {
    if (!confirmed) continue;
    change.raise_floors(change.reach_);
    change.complete();
  }
  if (confirmed) return;
  const std::lock_guard lock(mutex_);
  unconfirmed_.insert(unconfirmed_.end(), waiting.begin(), waiting.end());
}

}  // namespace dsta::cache::fleet_model
