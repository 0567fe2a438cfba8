#include "sentinel_group.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "eventually.hpp"
#include "wire_client.hpp"

namespace dsta::cache::testing_support {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::string make_folder() {
  std::string path = "/tmp/dsta-sentinel-XXXXXX";
  if (!::mkdtemp(path.data())) throw net_error("mkdtemp");
  return path;
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// As `eventually`, and asks seldom: sentinels that get no time think that their master is dead.
template <class Condition>
bool before_long(Condition condition, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(30ms);
  }
  return true;
}

}  // namespace

SentinelServer::SentinelServer(std::vector<std::string> lines, std::optional<RedisTls> tls)
    : lines_(std::move(lines)), tls_(std::move(tls)), directory_(make_folder()) {
  start();
}

SentinelServer::~SentinelServer() {
  process_.reset();
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

void SentinelServer::start() {
  const std::string path = directory_ + "/sentinel.conf";
  if (!fs::exists(path)) {  // it writes into it what it learns
    std::ofstream file(path);
    const std::string number = std::to_string(port());
    file << "bind 127.0.0.1 -::1\ndir " << directory_ << "\ndaemonize no\nuser harness on >harness-secret ~* &* +@all\n"
         << (tls_ ? "port 0\ntls-port " : "port ") << number << '\n';
    if (tls_) {
      file << "tls-cert-file " << tls_->certificate << "\ntls-key-file " << tls_->key << "\ntls-ca-cert-file "
           << tls_->authority << "\ntls-auth-clients " << (tls_->ask_clients ? "yes" : "no") << '\n';
    }
    for (const std::string& line : lines_) file << line << '\n';
  }
  process_ = std::make_unique<ChildProcess>(
      RedisServer::program(), std::vector<std::string>{"redis-server", path, "--sentinel"}, directory_ + "/log");
  if (!eventually([&] { return answers(); })) throw std::runtime_error("a sentinel does not start");
}

bool SentinelServer::answers() const {
  try {
    if (!tls_) return command({"PING"}) == "PONG";
    connect_tcp(port(), std::chrono::steady_clock::now() + 1s);
    return true;
  } catch (const NetError&) {
    return false;
  }
}

std::string SentinelServer::command(const std::vector<std::string>& words) const {
  WireClient client = WireClient::tcp(port(), 2s);
  const std::string welcome = client.call({"AUTH", "harness", "harness-secret"});
  if (welcome != "OK") throw NetError(NetError::Kind::protocol, "AUTH: " + welcome);
  return client.call(words);
}

SentinelGroup::SentinelGroup(SentinelGroupOptions options) : options_(std::move(options)) {
  for (std::size_t i = 0; i <= options_.replicas; ++i) {
    RedisOptions server = options_.server;
    // Taken away to stop replication.
    server.users.emplace_back("follower on >follow ~* &* +@all");
    servers_.push_back(nullptr);
    const auto lines = config(0);
    server.config.insert(server.config.end(), lines.begin(), lines.end());
    servers_.back() = std::make_unique<RedisServer>(std::move(server));
  }
  for (std::size_t i = 0; i < options_.sentinels; ++i) {
    const std::string name = kMaster, quorum = std::to_string(options_.sentinels / 2 + 1);
    std::vector<std::string> lines{
        "sentinel monitor " + name + " 127.0.0.1 " + std::to_string(servers_[0]->port()) + " " + quorum,
        "sentinel down-after-milliseconds " + name + " 1500", "sentinel failover-timeout " + name + " 3000",
        "sentinel parallel-syncs " + name + " 4"};
    if (!options_.server.password.empty()) {
      lines.push_back("sentinel auth-pass " + name + " " + options_.server.password);
    }
    if (const std::string& secret = options_.sentinel_password; !secret.empty()) {
      lines.push_back("requirepass \"" + secret + "\"");
      lines.push_back("sentinel sentinel-pass " + secret);
    }
    sentinels_.push_back(std::make_unique<SentinelServer>(std::move(lines)));
  }
  wait_until_whole();
}

/// Of a server that joins while that one is the master; itself, when it is the first of all.
std::vector<std::string> SentinelGroup::config(std::size_t master) const {
  std::vector<std::string> lines{"masteruser follower", "masterauth follow", "repl-diskless-sync-delay 0",
                                 "repl-timeout 5"};
  if (servers_[master]) lines.push_back("replicaof 127.0.0.1 " + std::to_string(servers_[master]->port()));
  return lines;
}

std::string SentinelGroup::url() const {
  std::string hosts;
  for (const auto& sentinel : sentinels_) {
    hosts += (hosts.empty() ? "127.0.0.1:" : ",127.0.0.1:") + std::to_string(sentinel->port());
  }
  const std::string& password = options_.server.password;
  return "redis-sentinel://" + (password.empty() ? "" : ":" + password + "@") + hosts + "/" + kMaster;
}

std::size_t SentinelGroup::master() const {
  for (const auto& sentinel : sentinels_) {
    if (!sentinel->running()) continue;
    try {
      const std::string answer = sentinel->command({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", kMaster});
      for (std::size_t i = 0; i < servers_.size(); ++i) {
        if (holds(answer, std::to_string(servers_[i]->port()))) return i;
      }
    } catch (const NetError&) {
      // Another one is asked.
    }
  }
  return servers_.size();
}

void SentinelGroup::pause_replication() {
  RedisServer& now = *servers_[master()];
  now.command({"ACL", "SETUSER", "follower", "off"});
  now.command({"CLIENT", "KILL", "TYPE", "replica"});
}

bool SentinelGroup::ask_for_failover() {
  return before_long([&] { return sentinels_[0]->command({"SENTINEL", "FAILOVER", kMaster}) == "OK"; }, 20s);
}

bool SentinelGroup::wait_for_failover(std::size_t former, std::chrono::milliseconds patience) {
  return before_long(
      [&] {
        const std::size_t now = master();
        return now != former && now < servers_.size() && holds(servers_[now]->command({"ROLE"}), "master");
      },
      patience);
}

void SentinelGroup::restart_as_replica(std::size_t i) {
  std::vector<std::string> lines = options_.server.config;
  const auto joining = config(master());
  lines.insert(lines.end(), joining.begin(), joining.end());
  servers_[i]->configure(std::move(lines));
  servers_[i]->start();
  wait_until_whole();
}

void SentinelGroup::wait_until_whole() {
  const auto whole = [&] {
    const std::size_t now = master();
    if (now == servers_.size()) return false;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      if (i != now && !holds(servers_[i]->command({"INFO", "replication"}), "master_link_status:up")) return false;
    }
    for (const auto& sentinel : sentinels_) {
      if (!sentinel->running()) continue;
      const std::string seen = sentinel->command({"SENTINEL", "MASTER", kMaster});
      const auto number = [&](const std::string& field, std::size_t value) {
        return holds(seen, field + "\n" + std::to_string(value) + "\n");
      };
      if (!number("num-slaves", options_.replicas) || !number("num-other-sentinels", options_.sentinels - 1)) {
        return false;
      }
      if (holds(seen, "s_down") || holds(seen, "failover_in_progress") ||
          holds(sentinel->command({"SENTINEL", "REPLICAS", kMaster}), "s_down")) {
        return false;
      }
    }
    return true;
  };
  const auto quietly = [&] {
    try {
      return whole();
    } catch (const NetError&) {
      return false;
    }
  };
  if (!before_long(quietly, 60s)) throw std::runtime_error("the sentinels do not find their group");
}

}  // namespace dsta::cache::testing_support
