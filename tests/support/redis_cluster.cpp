#include "redis_cluster.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace dsta::cache::testing_support {
namespace {

using namespace std::chrono_literals;

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Asks seldom, so that the nodes get time, and takes one that does not answer for a no.
template <class Condition>
bool before_long(Condition condition, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  const auto quietly = [&] {
    try {
      return condition();
    } catch (const NetError&) {
      return false;
    }
  };
  while (!quietly()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(20ms);
  }
  return true;
}

std::string port_option(const RedisOptions& server, const std::string& name) {
  return "cluster-announce-" + (server.tls ? "tls-" + name : name);
}

}  // namespace

bool RedisCluster::available() {
  static const bool can = [] {
    if (!RedisServer::available()) return false;
    RedisServer server;
    return !holds(server.command({"INFO", "server"}), "redis_version:6.") &&
           !holds(server.command({"CONFIG", "GET", "cluster-port"}), "(nil)") &&
           holds(server.command({"CONFIG", "GET", "cluster-port"}), "cluster-port");
  }();
  return can;
}

RedisCluster::RedisCluster(RedisClusterOptions options) : options_(std::move(options)) {
  const std::size_t count = options_.masters * (1 + options_.replicas);
  for (std::size_t i = 0; i < count; ++i) add_node();
  share_slots();
  meet();
  follow();
  if (!wait_ok(60s)) throw std::runtime_error("the nodes do not form a cluster: " + trouble());
}

void RedisCluster::add_node() {
  Node node;
  node.bus = std::make_unique<ReservedPort>();
  RedisOptions server = options_.server;
  // Taken away to stop replication.
  server.users.emplace_back("follower on >follow ~* &* +@all");
  std::vector<std::string> lines{"cluster-enabled yes",
                                 "cluster-config-file nodes.conf",
                                 "cluster-port " + std::to_string(node.bus->port()),
                                 "cluster-node-timeout " + std::to_string(options_.node_timeout.count()),
                                 "cluster-allow-replica-migration no",
                                 "cluster-replica-validity-factor 0",
                                 "masteruser follower",
                                 "masterauth follow",
                                 "repl-diskless-sync-delay 0",
                                 "repl-timeout 5"};
  if (server.tls) lines.insert(lines.end(), {"tls-cluster yes", "tls-replication yes"});
  server.config.insert(server.config.begin(), lines.begin(), lines.end());
  node.server = std::make_unique<RedisServer>(std::move(server));
  node.id = node.server->command({"CLUSTER", "MYID"});
  nodes_.push_back(std::move(node));
}

void RedisCluster::must(std::size_t i, const std::vector<std::string>& words) const {
  const std::string reply = command(i, words);
  if (reply == "OK") return;
  std::string said;
  for (const std::string& word : words) said += word + ' ';
  throw std::runtime_error(said + "at node " + std::to_string(i) + ": " + reply);
}

void RedisCluster::share_slots() {
  const std::size_t masters = options_.masters;
  for (std::size_t i = 0; i < masters; ++i) {
    must(i, {"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
    must(i, {"CLUSTER", "ADDSLOTSRANGE", std::to_string(i * kClusterSlots / masters),
             std::to_string((i + 1) * kClusterSlots / masters - 1)});
  }
}

/// All pairs, as gossip would take seconds.
void RedisCluster::meet() {
  for (std::size_t i = 0; i < nodes(); ++i) {
    for (std::size_t k = i + 1; k < nodes(); ++k) {
      must(i, {"CLUSTER", "MEET", "127.0.0.1", std::to_string(node(k)), std::to_string(nodes_[k].bus->port())});
    }
  }
}

void RedisCluster::follow() {
  for (std::size_t i = options_.masters; i < nodes(); ++i) {
    const std::string& master = id(i % options_.masters);
    // Not before it has heard of that one.
    if (!before_long([&] { return command(i, {"CLUSTER", "REPLICATE", master}) == "OK"; }, 20s)) {
      throw std::runtime_error("a replica does not find its master");
    }
  }
}

std::string RedisCluster::url(const std::string& login) const {
  const RedisOptions& server = options_.server;
  const std::string of_default = server.password.empty() ? "" : ":" + server.password;
  const std::string& user = login.empty() ? of_default : login;
  std::string hosts;
  for (std::size_t i = 0; i < nodes(); ++i) hosts += (i == 0 ? "" : ",") + address(i);
  return (server.tls ? "rediss://" : "redis://") + user + (user.empty() ? "" : "@") + hosts + "?cluster=true";
}

std::string RedisCluster::command(std::size_t i, const std::vector<std::string>& words) const {
  return nodes_[i].server->command(words);
}

NodeLine RedisCluster::self(std::size_t i) const {
  for (NodeLine& line : view_of(i)) {
    if (line.is("myself")) return std::move(line);
  }
  throw NetError(NetError::Kind::protocol, "a node does not know itself");
}

bool RedisCluster::is_master(std::size_t i) const { return self(i).is("master"); }

std::size_t RedisCluster::master_of_slot(std::uint16_t slot) const {
  std::size_t found = nodes();
  std::uint64_t latest = 0;
  for (std::size_t i = 0; i < nodes(); ++i) {
    if (!answers(i)) continue;
    const NodeLine line = self(i);
    if (!line.is("master") || !line.serves(slot) || (found != nodes() && line.epoch < latest)) continue;
    found = i;
    latest = line.epoch;
  }
  return found;
}

std::size_t RedisCluster::replica_of(std::size_t master) const {
  for (std::size_t i = 0; i < nodes(); ++i) {
    if (answers(i) && self(i).master == id(master)) return i;
  }
  return nodes();
}

std::size_t RedisCluster::owner(std::uint16_t slot) const {
  std::size_t found = nodes();
  if (before_long([&] { return (found = master_of_slot(slot)) != nodes(); }, 10s)) return found;
  throw std::runtime_error("nobody serves slot " + std::to_string(slot));
}

void RedisCluster::begin_migration(std::uint16_t slot, std::size_t to) {
  const std::size_t from = owner(slot);
  must(to, {"CLUSTER", "SETSLOT", std::to_string(slot), "IMPORTING", id(from)});
  must(from, {"CLUSTER", "SETSLOT", std::to_string(slot), "MIGRATING", id(to)});
}

std::size_t RedisCluster::migrate_keys(std::uint16_t slot, std::size_t to, std::size_t at_most) {
  const std::size_t from = owner(slot);
  std::vector<std::string> words{"MIGRATE", "127.0.0.1", std::to_string(node(to)), "",    "0", "5000",
                                 "AUTH2",   "harness",   "harness-secret",         "KEYS"};
  const std::size_t before = words.size();
  std::istringstream keys(command(from, {"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), std::to_string(at_most)}));
  for (std::string key; std::getline(keys, key);) words.push_back(key);
  const std::size_t count = words.size() - before;
  if (count == 0) return 0;
  // NOKEY: they have gone since.
  if (const std::string reply = command(from, words); reply != "OK" && reply != "NOKEY") {
    throw std::runtime_error("MIGRATE: " + reply);
  }
  return count;
}

/// Otherwise the new epoch of the slot's new owner might be no later than that of the former, whose claim of before, on
/// its way, would take the slot from the new one: then nobody serves it.
bool RedisCluster::knows_epochs(std::size_t of) const {
  const std::vector<NodeLine> view = view_of(of);
  for (std::size_t i = 0; i < nodes(); ++i) {
    if (!answers(i)) continue;
    const NodeLine line = self(i);
    const auto same = [&](const NodeLine& seen) { return seen.id == line.id && seen.epoch == line.epoch; };
    if (line.is("master") && std::none_of(view.begin(), view.end(), same)) return false;
  }
  return true;
}

void RedisCluster::end_migration(std::uint16_t slot, std::size_t to) {
  const std::size_t from = owner(slot);
  before_long([&] { return knows_epochs(to); }, 10s);
  // The new owner first: were the former to forget the slot before, it would send clients to one that does not serve.
  std::vector<std::size_t> order{to, from};
  for (std::size_t i = 0; i < nodes(); ++i) {
    if (i != to && i != from && answers(i) && is_master(i)) order.push_back(i);
  }
  for (const std::size_t i : order) must(i, {"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", id(to)});
}

void RedisCluster::migrate_slot(std::uint16_t slot, std::size_t to) {
  begin_migration(slot, to);
  while (migrate_keys(slot, to) > 0) continue;
  end_migration(slot, to);
}

void RedisCluster::kill(std::size_t i) {
  nodes_[i].server->kill();
  nodes_[i].paused = false;
}

void RedisCluster::start(std::size_t i) { nodes_[i].server->start(); }

void RedisCluster::pause(std::size_t i) {
  nodes_[i].server->pause();
  nodes_[i].paused = true;
}

void RedisCluster::resume(std::size_t i) {
  nodes_[i].server->resume();
  nodes_[i].paused = false;
}

void RedisCluster::pause_replication(std::size_t master) {
  must(master, {"ACL", "SETUSER", "follower", "off"});
  command(master, {"CLIENT", "KILL", "TYPE", "replica"});
}

void RedisCluster::resume_replication(std::size_t master) { must(master, {"ACL", "SETUSER", "follower", "on"}); }

bool RedisCluster::failover(std::size_t replica, const std::string& how) {
  std::vector<std::string> words{"CLUSTER", "FAILOVER"};
  if (!how.empty()) words.push_back(how);
  for (int attempt = 0; attempt < 5; ++attempt) {
    must(replica, words);
    if (before_long([&] { return is_master(replica); }, 6s)) return true;
  }
  return false;
}

void RedisCluster::announce(std::size_t i, const std::string& host, std::uint16_t port) {
  must(i, {"CONFIG", "SET", "cluster-announce-ip", host});
  must(i, {"CONFIG", "SET", port_option(options_.server, "port"), std::to_string(port)});
}

/// What it says of the others is what they say of themselves? `owners`: by slot.
std::string RedisCluster::misses(const std::vector<NodeLine>& view, const std::vector<NodeLine>& selves,
                                 std::string& owners) const {
  for (const NodeLine& line : view) {
    if (line.is("noaddr") || line.is("handshake")) return "a node without an address";
    for (std::size_t k = 0; k < nodes(); ++k) {
      if (id(k) != line.id) continue;
      const bool wrong =
          answers(k) ? line.is("fail") || line.is("fail?") || line.master != selves[k].master : !line.slots.empty();
      if (wrong) return "node " + std::to_string(k) + " as " + line.flags + " of " + line.master;
      for (const auto& [first, last] : line.slots) {
        std::fill(owners.begin() + first, owners.begin() + last + 1, static_cast<char>('A' + k));
      }
    }
  }
  const std::size_t hole = owners.find(' ');
  return hole == owners.npos ? "" : "nobody for slot " + std::to_string(hole);
}

std::string RedisCluster::trouble() const {
  std::vector<NodeLine> selves(nodes());
  for (std::size_t i = 0; i < nodes(); ++i) {
    if (answers(i)) selves[i] = self(i);
  }
  std::string agreed;
  for (std::size_t i = 0; i < nodes(); ++i) {
    if (!answers(i)) continue;
    const std::string who = "node " + std::to_string(i);
    const std::string info = command(i, {"CLUSTER", "INFO"});
    if (!holds(info, "cluster_state:ok") || !holds(info, "cluster_slots_ok:16384")) return who + " says " + info;
    std::string owners(kClusterSlots, ' ');
    if (const std::string seen = misses(view_of(i), selves, owners); !seen.empty()) return who + " sees " + seen;
    if (agreed.empty()) agreed = owners;
    const auto differs = std::mismatch(owners.begin(), owners.end(), agreed.begin());
    if (differs.first != owners.end()) {
      return who + " takes slot " + std::to_string(differs.first - owners.begin()) + " for that of node " +
             std::to_string(*differs.first - 'A') + ", others for that of " + std::to_string(*differs.second - 'A');
    }
    if (selves[i].is("slave") && !holds(command(i, {"INFO", "replication"}), "master_link_status:up")) {
      return who + " has no link to its master";
    }
  }
  return agreed.empty() ? "none runs" : "";
}

bool RedisCluster::wait_ok(std::chrono::milliseconds patience) const {
  return before_long([&] { return trouble().empty(); }, patience);
}

bool RedisCluster::wait_for_failover(std::uint16_t slot, std::size_t former, std::chrono::milliseconds patience) const {
  return before_long(
      [&] {
        const std::size_t now = master_of_slot(slot);
        return now != former && now != nodes();
      },
      patience);
}

}  // namespace dsta::cache::testing_support
