#include <dsta/cache/detail/batch_call.hpp>

#include <exception>
#include <string_view>
#include <unordered_map>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct BatchPlan::Items {
  std::unordered_map<std::string_view, std::size_t> places;  // key -> index among the distinct
  std::vector<std::size_t> place_of;                         // item -> the same
  // Of the distinct.
  std::vector<NodeRef> values;
  std::vector<std::exception_ptr> errors;
  // Of those to be loaded.
  std::vector<BatchItem> open;
  std::vector<std::size_t> open_places;
};

BatchPlan::BatchPlan(const WrapperBase& wrapper, const TypeOps& type)
    : wrapper_(wrapper), type_(type), items_(new Items) {}

BatchPlan::~BatchPlan() { delete items_; }

BatchPlan::Step BatchPlan::add(const KeyView& key) {
  const auto [known, first] = items_->places.try_emplace(key.full.empty() ? key.name : key.full, items_->values.size());
  items_->place_of.push_back(known->second);
  if (!first) return Step::repeated;
  NodeRef& node = items_->values.emplace_back();
  items_->errors.emplace_back();
  if (wrapper_.reads_here(type_) && wrapper_.core->read(key, type_, wrapper_.identity, node) == Freshness::fresh) {
    wrapper_.identity->counters.add(Count::hits);
    return Step::found;
  }
  items_->open.push_back({.key = key, .tags = {}});
  items_->open_places.push_back(known->second);
  return Step::open;
}

void BatchPlan::set_tags(std::vector<std::string> tags) { items_->open.back().tags = std::move(tags); }

void BatchPlan::add_failed() {
  items_->place_of.push_back(items_->values.size());
  items_->values.emplace_back();
  items_->errors.push_back(std::current_exception());
}

void BatchPlan::fail_open() {
  items_->errors[items_->open_places.back()] = std::current_exception();
  items_->open.pop_back();
  items_->open_places.pop_back();
}

void BatchPlan::load(const std::shared_ptr<BatchLoader>& loader) {
  if (!items_->open.empty()) wrapper_.core->load_batch(items_->open, loader);
  for (std::size_t i = 0; i < items_->open.size(); ++i) {
    items_->values[items_->open_places[i]] = std::move(items_->open[i].value);
    items_->errors[items_->open_places[i]] = std::move(items_->open[i].error);
  }
}

std::size_t BatchPlan::size() const noexcept { return items_->place_of.size(); }
const NodeRef& BatchPlan::value(std::size_t item) const noexcept { return items_->values[items_->place_of[item]]; }
const std::exception_ptr& BatchPlan::error(std::size_t item) const noexcept {
  return items_->errors[items_->place_of[item]];
}

void refuse_answers(std::size_t answers, std::size_t items) {
  throw LoadError("the bulk_loader returned " + std::to_string(answers) + " answers for " + std::to_string(items) +
                  " items: return one for each, in their order, and an empty std::optional for an item that does not "
                  "exist");
}

std::vector<Loaded> make_loaded(std::size_t calls) { return std::vector<Loaded>(calls); }

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
