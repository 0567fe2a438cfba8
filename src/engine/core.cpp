/// The calls of Core that one owner of the engine answers. Others: hit.cpp, write.cpp.
#include <dsta/cache/detail/core.hpp>

#include <fmt/format.h>

#include <utility>

#include <dsta/cache/error.hpp>

#include "engine/engine.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

bool Core::has_l2() const noexcept { return engine_of(*this).levels_.has_l2(); }

void Core::fetch(std::span<Fetched> items, std::span<const TypeOps* const> types, const Identity* reader,
                 const EntryTerms& terms, std::span<const std::string> dependencies) {
  engine_of(*this).l2_.read(items, types, reader, terms, dependencies);
}

void Core::fetch(std::span<Fetched> items, std::span<const TypeOps* const> types, const Reach& reach) {
  engine_of(*this).l2_.read(items, types, reach);
}

NodeRef Core::load(const KeyView& key, const std::shared_ptr<Loader>& loader, LoadMode mode) {
  return engine_of(*this).loads_.load(key, loader, mode);
}

Reach Core::reach(const EntryOptions& options) {
  Engine& engine = engine_of(*this);
  return engine.levels_.reachable() ? engine.presets_.reach(options) : Reach();
}

void Core::load_batch(std::vector<BatchItem>& items, const std::shared_ptr<BatchLoader>& loader) {
  engine_of(*this).loads_.load_batch(items, loader);
}

Identity& Core::register_function(const std::string& prefix, const std::string& name, const FunctionMark& mark) {
  Engine& engine = engine_of(*this);
  const auto [identity, replaced] = engine.context_.identities.add(prefix, name, mark);
  if (!replaced) return identity;
  try {
    engine.context_.log(LogLevel::info,
                        fmt::format("prefix '{}' name '{}' now caches another function: the values of the previous "
                                    "one are dropped",
                                    prefix, name));
    clear(identity);
    engine.context_.identities.took_over(identity);
  } catch (...) {  // handed on: there will be no wrapper, and the next one clears what this one could not
    engine.context_.identities.release(identity);
    throw;
  }
  return identity;
}

void Core::release_function(Identity& identity) noexcept { engine_of(*this).context_.identities.release(identity); }

void Core::note_tags(const Identity& identity, const std::vector<std::string>& tags, unsigned plain) {
  Context& context = engine_of(*this).context_;
  // What is in this process was stored without some of them. At L2 each entry says which it carries.
  if (context.identities.note_tags(identity, tags, plain)) {
    raise(const_cast<Identity&>(identity).cleared, context.next_point());
  }
}

Identity& Core::manual(std::string_view prefix) { return engine_of(*this).context_.identities.manual(prefix); }

Identity& Core::manual_writer(std::string_view prefix) {
  Engine& engine = engine_of(*this);
  Identity& identity = engine.context_.identities.manual(prefix);
  if (!identity.written_by_hand.load(std::memory_order_relaxed)) identity.written_by_hand.store(true);
  return identity;
}

EntryTerms Core::resolve(const EntryOptions& options) const { return engine_of(*this).presets_.resolve(options); }

void Core::preset(const std::string& prefix, const EntryOptions& options) {
  engine_of(*this).presets_.set(prefix, options);
}

void Core::limit_loads(const std::string& prefix, const LoadLimit& limit) {
  engine_of(*this).runner_.limit(prefix, limit);
}

const ManagerOptions& Core::options() const { return engine_of(*this).context_.options; }

bool Core::post(std::function<void()> task) { return engine_of(*this).context_.background->post(std::move(task)); }

std::shared_ptr<void> Core::every(Duration interval, std::function<void()> job) {
  Engine& engine = engine_of(*this);
  if (interval <= Duration::zero()) throw ConfigError("every: the interval must be longer than zero");
  return engine.context_.background->every(interval, std::move(job));
}

TimePoint Core::now() const noexcept { return engine_of(*this).context_.now(); }

void Core::log(LogLevel level, std::string_view message) const { engine_of(*this).context_.log(level, message); }

std::shared_ptr<Core> Core::pin() noexcept {
  Engine& engine = engine_of(*this);
  std::shared_ptr<Core> pinned = engine.pins_->take(thread_record().index);
  if (pinned) return pinned;
  return engine.shared_from_this();  // closed: rare enough for the one count
}

void Core::set_fault(bool on) {
  Engine& engine = engine_of(*this);
  if (engine.levels_.has_l2()) {
    throw ConfigError("testing::ServerFault works only without a server: stop the server instead");
  }
  engine.context_.is_faulty.store(on, std::memory_order_release);
  // Behind the flag: what looked at it before is older than this, and is not kept.
  if (on) engine.flush_all();
}

bool Core::closed() const noexcept { return engine_of(*this).context_.is_closed.load(std::memory_order_acquire); }

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
