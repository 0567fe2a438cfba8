#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cluster_view.hpp"
#include "net.hpp"
#include "redis_server.hpp"

namespace dsta::cache::testing_support {

struct RedisClusterOptions {
  std::size_t masters = 3, replicas = 1;  ///< `replicas` of each master
  /// A node that is silent for this long is held for dead. On a busy machine nodes that are well are silent for 1 s.
  std::chrono::milliseconds node_timeout{1500};
  /// Of each node. Lines of its `config` come after those of the kit, as "cluster-require-full-coverage no".
  RedisOptions server = {};
};

/// Real servers that form a Redis Cluster: first the masters, which share the slots evenly, then the replicas, the
/// first of each master before the second of any. Slots are not moved and replicas do not change their master by
/// themselves. They end with this object or with the test. One thread.
///
/// Ports for clients and for the cluster bus are kept by the kit. A server needs some two seconds before it takes
/// writes in a cluster, so construction takes 2.5 s.
class RedisCluster {
 public:
  /// Tells whether there is a server that can be told the port of its bus (Redis 7.0, Valkey).
  static bool available();

  /// Returns when all nodes agree and the replicas follow, see wait_ok. Throws std::runtime_error when that does not
  /// come about.
  explicit RedisCluster(RedisClusterOptions options = {});

  /// All nodes, with the default user's password: `redis://127.0.0.1:1,127.0.0.1:2?cluster=true`. More options follow
  /// with `&`.
  std::string url() const { return url({}); }
  /// Logs in as `user:password`.
  std::string url(const std::string& login) const;
  std::size_t nodes() const { return nodes_.size(); }
  std::uint16_t node(std::size_t i) const { return nodes_[i].server->port(); }
  std::string address(std::size_t i) const { return "127.0.0.1:" + std::to_string(node(i)); }
  /// Beware of its kill, pause and so on: those of the cluster know of it.
  RedisServer& server(std::size_t i) { return *nodes_[i].server; }
  /// Past any ACL; see RedisServer::command. Throws NetError.
  std::string command(std::size_t i, const std::vector<std::string>& words) const;

  static std::uint16_t slot_of(std::string_view key) { return testing_support::slot_of(key); }
  /// nodes() when nobody who answers serves it. Of two that claim it the one with the later epoch counts.
  std::size_t master_of_slot(std::uint16_t slot) const;
  std::size_t master_of(std::string_view key) const { return master_of_slot(slot_of(key)); }
  /// Of those that answer, the first that follows `master` by its own account; nodes() when none does.
  std::size_t replica_of(std::size_t master) const;
  bool is_master(std::size_t i) const;
  /// Its id in the cluster, which is asked once.
  const std::string& id(std::size_t i) const { return nodes_[i].id; }

  /// The steps of moving a slot from its master to another, which a test can stop between. Between begin and end the
  /// former master answers ASK for keys that it has not.
  void begin_migration(std::uint16_t slot, std::size_t to);
  /// Moves some keys; returns how many, 0 when no more are there.
  std::size_t migrate_keys(std::uint16_t slot, std::size_t to, std::size_t at_most = 100);
  /// Tells the masters who serves the slot now.
  void end_migration(std::uint16_t slot, std::size_t to);
  /// All of it.
  void migrate_slot(std::uint16_t slot, std::size_t to);

  /// Ends it as a crash does.
  void kill(std::size_t i);
  /// Starts it again, empty, on the same ports. It knows its cluster, and follows the node that took its place.
  void start(std::size_t i);
  /// See RedisServer.
  void pause(std::size_t i);
  void resume(std::size_t i);
  /// The replicas of `master` hear nothing of it any more, and do not come back to it; they would take its place.
  void pause_replication(std::size_t master);
  void resume_replication(std::size_t master);
  /// The replica takes its master's place: `how` is empty (in agreement with it), "FORCE" or "TAKEOVER". Asks for it
  /// once more where the nodes did not come to it within 6 s. False: not in 30 s.
  bool failover(std::size_t replica, const std::string& how = {});
  /// Announces the node to clients and nodes at another address, as of a proxy. The host is an address.
  void announce(std::size_t i, const std::string& host, std::uint16_t port);

  /// Returns when all nodes that run (and are not paused) call the cluster ok, name the same masters of all slots, all
  /// of which run, take each other for what they are, and all replicas are linked to their masters. False: not in time.
  bool wait_ok(std::chrono::milliseconds patience = std::chrono::seconds(30)) const;
  /// Why it is not ok now; empty: it is. Throws NetError.
  std::string trouble() const;
  /// Returns when another node than `former` serves the slot, and says so itself. False: not in time.
  bool wait_for_failover(std::uint16_t slot, std::size_t former,
                         std::chrono::milliseconds patience = std::chrono::seconds(30)) const;

 private:
  struct Node {
    std::unique_ptr<ReservedPort> bus;
    std::unique_ptr<RedisServer> server;
    std::string id;
    bool paused = false;
  };
  bool answers(std::size_t i) const { return nodes_[i].server->running() && !nodes_[i].paused; }
  std::vector<NodeLine> view_of(std::size_t i) const { return parse_nodes(command(i, {"CLUSTER", "NODES"})); }
  /// What it says of itself.
  NodeLine self(std::size_t i) const;
  /// As master_of_slot; waits until somebody serves it.
  std::size_t owner(std::uint16_t slot) const;
  bool knows_epochs(std::size_t of) const;
  void add_node();
  void meet();
  void share_slots();
  void follow();
  std::string misses(const std::vector<NodeLine>& view, const std::vector<NodeLine>& selves, std::string& owners) const;
  void must(std::size_t i, const std::vector<std::string>& words) const;

  const RedisClusterOptions options_;
  std::vector<Node> nodes_;
};

}  // namespace dsta::cache::testing_support
