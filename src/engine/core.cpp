/// The calls of Core, each handed to the engine behind it.
#include <utility>

#include <dsta/cache/detail/core.hpp>

#include "two_level/engine.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

bool Core::has_shared() const noexcept { return engine_of(*this).has_shared(); }

Reach Core::reach(const EntryOptions& options) { return engine_of(*this).reach(options); }

void Core::fetch(std::span<Fetched> items, std::span<const TypeOps* const> types, const Identity* reader,
                 const EntryTerms& terms, std::span<const std::string> dependencies) {
  engine_of(*this).l2().read(items, types, reader, terms, dependencies);
}

void Core::fetch(std::span<Fetched> items, std::span<const TypeOps* const> types, const Reach& reach) {
  engine_of(*this).l2().read(items, types, reach);
}

NodeRef Core::load(const KeyView& key, const std::shared_ptr<Loader>& loader, LoadMode mode) {
  return engine_of(*this).load(key, loader, mode);
}

void Core::load_batch(std::vector<BatchItem>& items, const std::shared_ptr<BatchLoader>& loader) {
  engine_of(*this).load_batch(items, loader);
}

PutOutcome Core::put(NodeRef node, const EntryTerms& terms, const std::vector<std::string>& tags,
                     const Identity* identity) {
  return engine_of(*this).put(std::move(node), terms, tags, identity);
}

std::vector<PutOutcome> Core::put(std::vector<NodeRef> nodes, const EntryTerms& terms) {
  return engine_of(*this).put(std::move(nodes), terms);
}

bool Core::erase(const KeyView& key, const Reach& reach) { return engine_of(*this).erase(key, reach); }

std::size_t Core::erase_matching(const std::shared_ptr<const KeyPattern>& pattern) {
  return engine_of(*this).erase_matching(pattern);
}

void Core::clear(Identity& identity) { engine_of(*this).clear(identity); }

Identity& Core::register_function(const std::string& prefix, const std::string& name, const FunctionMark& mark) {
  return engine_of(*this).register_function(prefix, name, mark);
}

void Core::release_function(Identity& identity) noexcept { engine_of(*this).release_function(identity); }

void Core::note_tags(const Identity& identity, const std::vector<std::string>& tags, unsigned plain) {
  engine_of(*this).note_tags(identity, tags, plain);
}

Identity& Core::manual(std::string_view prefix) { return engine_of(*this).manual(prefix); }

Identity& Core::manual_writer(std::string_view prefix) { return engine_of(*this).manual_writer(prefix); }

EntryTerms Core::resolve(const EntryOptions& options) const { return engine_of(*this).resolve(options); }

void Core::preset(const std::string& prefix, const EntryOptions& options) { engine_of(*this).preset(prefix, options); }

void Core::limit_loads(const std::string& prefix, const LoadLimit& limit) {
  engine_of(*this).limit_loads(prefix, limit);
}

const ManagerOptions& Core::options() const { return engine_of(*this).options(); }

bool Core::post(std::function<void()> task) { return engine_of(*this).post(std::move(task)); }

std::shared_ptr<void> Core::every(Duration interval, std::function<void()> job) {
  return engine_of(*this).every(interval, std::move(job));
}

TimePoint Core::now() const noexcept { return engine_of(*this).now(); }

void Core::log(LogLevel level, std::string_view message) const { engine_of(*this).log(level, message); }

bool Core::closed() const noexcept { return engine_of(*this).closed(); }

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
