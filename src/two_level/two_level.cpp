#include "two_level/two_level.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <vector>

#include "base/background.hpp"
#include "l1/store.hpp"
#include "l2/client/link_options.hpp"
#include "l2/client/url.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// The managers with an L2: a child of a fork has their entries and not their threads. No fork happens while
/// one of those threads is at what the child will use, so that the child finds no lock taken by a thread that it does
/// not have.
class Forkable {
 public:
  static void add(Coherence* one) {
    static const int watched = ::pthread_atfork(prepare, in_parent, in_child);
    static_cast<void>(watched);
    const MutexLock lock(mutex());
    all().push_back(one);
  }
  static void remove(Coherence* one) {
    const MutexLock lock(mutex());
    std::erase(all(), one);
  }

 private:
  // The locks are taken before a fork and released after it.
  static void prepare() DSTA_NO_THREAD_SAFETY_ANALYSIS {
    mutex().lock();
    for (Coherence* const one : all()) one->quiet().lock();
  }
  static void in_parent() DSTA_NO_THREAD_SAFETY_ANALYSIS {
    for (Coherence* const one : all()) one->quiet().unlock();
    mutex().unlock();
  }
  static void in_child() {
    for (Coherence* const one : all()) one->forked();
    in_parent();
  }
  // Never destroyed: programs fork until they end.
  static Mutex& mutex() {
    static auto* const one = new Mutex;
    return *one;
  }
  static std::vector<Coherence*>& all() {
    static auto* const every = new std::vector<Coherence*>;
    return *every;
  }
};

}  // namespace

/// Makes `link` one to the master that sentinels know. Null: the endpoint is a server's own.
std::shared_ptr<MasterFinder> TwoLevel::follow_master(const Endpoint& endpoint, LinkOptions& link) {
  if (endpoint.sentinels.empty()) return nullptr;
  const SentinelOptions& given = context_.options.sentinel;
  MasterFinder::Options options{.sentinels = endpoint.sentinels,
                                .master = endpoint.master,
                                .link = link,
                                .addresses = AddressMap(given.address_map)};
  options.link.credentials = nullptr;
  options.link.user = given.username;
  options.link.password = given.password;
  options.link.database = 0;
  auto finder = std::make_shared<MasterFinder>(std::move(options));
  link.finder = finder;
  link.on_new_server = [this] { other_server(); };
  return finder;
}

/// A server that may have missed what its predecessor had confirmed is about to be used.
void TwoLevel::other_server() {
  if (!confirmations_) return;  // nothing was invalidated yet
  confirmations_->repeat_all();
  l2_store_->forget_server();
}

/// Nothing: the endpoint is no cluster.
std::optional<Cluster::Options> TwoLevel::cluster_options(const Endpoint& endpoint, const LinkOptions& link) {
  if (endpoint.cluster.empty()) return std::nullopt;
  const KeySpace keys(context_.options.space, true);
  Cluster::Options options;
  options.link = link;
  options.seeds = endpoint.cluster;
  options.addresses = AddressMap(context_.options.sentinel.address_map);
  options.tls = endpoint.transport == Endpoint::Transport::tls;
  options.home = keys.home();
  options.probe_key = [keys](Slot slot) { return keys.probe(slot); };
  options.on_change = [this](const SlotChange& change, const SlotMap& next) {
    if (!cluster_watch_) return;  // nothing was read or invalidated yet
    if (change.may_have_missed) {
      other_server();
    } else if (change.home) {
      l2_store_->forget_server();
    }
    coherence_->slots_move(change, next);
  };
  options.on_stranger = [this] {
    if (cluster_watch_) coherence_->met_stranger();
  };
  options.on_new_server = [this] { other_server(); };
  options.on_map = options.wants_refresh = [this] {
    if (follows_map_.load(std::memory_order_acquire)) cluster_watch_->hurry();
  };
  return options;
}

void TwoLevel::connect() {
  const Endpoint endpoint = apply_url(context_.options);
  if (endpoint.transport == Endpoint::Transport::memory) return;
  ServerCommands::Options options;
  options.link = link_options(endpoint, context_.options);
  options.space = context_.options.space;
  options.coherence = context_.options.l1.coherence;
  options.link.probe_key = KeySpace(options.space).probe();
  const auto finder = follow_master(endpoint, options.link);
  options.cluster = cluster_options(endpoint, options.link);
  options.clock = context_.options.clock;
  options.failed = [this](std::string_view operation, std::string_view kind) { note_failure(operation, kind); };
  l2_store_ = std::make_unique<L2Store>(std::move(options));
  coherence_ = std::make_unique<Coherence>(context_, *l2_store_, trust_, foreign_loads_, counters_);
  lease_renewal_ = std::make_unique<LeaseRenewal>(*l2_store_, coherence_->quiet());
  confirmations_ = std::make_unique<Confirmations>(context_, *l2_store_, coherence_->quiet());
  Cluster* const cluster = l2_store_->servers().cluster();
  if (finder) failover_ = std::make_unique<Failover>(context_, *l2_store_, *confirmations_, finder);
  l2_store_->versions().are_reported = [this] { return coherence_->tracks(); };
  Forkable::add(coherence_.get());
  if (failover_) failover_->start();
  if (cluster) {
    cluster_watch_ = std::make_unique<ClusterWatch>(context_, *cluster, *coherence_, *confirmations_);
    // As long as for a channel at most: the watch goes on.
    constexpr std::chrono::milliseconds kLongestWait{200};
    cluster->refresh(std::chrono::steady_clock::now() + kLongestWait);
  }
  try {
    if (coherence_->wants_channel()) coherence_->listen();
  } catch (...) {
    Forkable::remove(coherence_.get());
    l2_store_->servers().close();  // its threads use what goes before it
    throw;
  }
  if (cluster) {
    follows_map_ = true;  // its thread uses what listen() has made
    cluster_watch_->start();
  }
  if (coherence_->wants_channel()) coherence_->wait_briefly();
}

void TwoLevel::write_link_counters(CacheStats& stats) const {
  const LinkCounters counters = l2_store_->servers().counters();
  stats.master_changes = counters.server_changes;
  stats.connections = counters.open;
  stats.large_connections = counters.open_large;
  stats.connections_made = counters.made;
}

void TwoLevel::note_failure(std::string_view operation, std::string_view kind) {
  counters_.add_error();
  // The link itself says when the server is lost and found again.
  const bool by_server = kind.find(' ') != std::string_view::npos;  // else it names a fault
  if (!by_server || !failures_.first(kind)) return;
  context_.log(LogLevel::warning,
               fmt::format("L2 error in {}: {} (logged once; counted as l2_errors)", operation, kind));
}

bool TwoLevel::used_by(const EntryTerms& terms) {
  notice_fork();
  tend();
  return l2_store_ && terms.level != Level::l1;
}

bool TwoLevel::reachable() {
  notice_fork();
  tend();
  return l2_store_ && !context_.closed();
}

void TwoLevel::notice_fork() {
  if (!context_.closed() && forks_.load(std::memory_order_acquire) != fork_count()) revive();
}

void TwoLevel::tend() {
  context_.background->tend();
  if (!l2_store_ || context_.closed()) return;
  confirmations_->tend();
  lease_renewal_->tend();
  coherence_->tend();
  if (failover_) failover_->tend();
  if (cluster_watch_) cluster_watch_->tend();
}

void TwoLevel::disconnect() noexcept {
  Forkable::remove(coherence_.get());
  coherence_->stop();
  if (failover_) failover_->stop_listening();
  lease_renewal_->give_back_all(context_.time_limit());
  l2_store_->servers().close();  // so that nothing that is under way waits for the server
  coherence_->join();
  if (failover_) failover_->stop();
  if (cluster_watch_) cluster_watch_->stop();
  confirmations_->stop();
  lease_renewal_->stop();
  coherence_->close();
}

void TwoLevel::revive() {
  const MutexLock lock(reviving_);
  if (forks_.load() == fork_count()) return;
  // What the parent is loading does not come here, nor are its leases to be renewed here.
  context_.store.fence_loads();
  if (l2_store_) {
    l2_store_->forget_parent();
    lease_renewal_->start();
    confirmations_->replace_task();
    if (failover_) failover_->replace_threads();
    follows_map_ = false;
    if (cluster_watch_) cluster_watch_->replace_thread();
  }
  replace_in_child(context_.background,
                   std::make_shared<Background>(context_.options.clock, context_.options.executor));
  if (l2_store_) coherence_->revive();
  forks_.store(fork_count());  // until then others wait for this
  if (l2_store_) confirmations_->resume();
  if (failover_) failover_->start();
  if (!cluster_watch_) return;
  follows_map_ = true;
  cluster_watch_->start();
}

std::string TwoLevel::server() const {
  if (!l2_store_) return {};
  return l2_store_->servers().text();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
