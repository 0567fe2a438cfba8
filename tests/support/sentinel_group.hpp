#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "child_process.hpp"
#include "net.hpp"
#include "redis_server.hpp"

namespace dsta::cache::testing_support {

/// A real sentinel on a loopback port of its own, in a directory of its own. One thread.
class SentinelServer {
 public:
  /// `lines`: of its configuration, as "sentinel monitor mymaster 127.0.0.1 6379 2". With `tls` it speaks nothing else,
  /// and there is no `command`.
  explicit SentinelServer(std::vector<std::string> lines, std::optional<RedisTls> tls = {});
  ~SentinelServer();

  std::uint16_t port() const { return port_.port(); }
  void start();
  /// Ends it as a crash does.
  void kill() { process_.reset(); }
  void pause() { process_->pause(); }
  void resume() { process_->resume(); }
  bool running() const { return process_ && process_->running(); }
  /// See RedisServer::command.
  std::string command(const std::vector<std::string>& words) const;

 private:
  bool answers() const;

  const std::vector<std::string> lines_;
  const std::optional<RedisTls> tls_;
  ReservedPort port_;
  std::string directory_;
  std::unique_ptr<ChildProcess> process_;
};

struct SentinelGroupOptions {
  std::size_t replicas = 2, sentinels = 3;
  /// Of the sentinels' default user; empty: none is asked for.
  std::string sentinel_password = {};
  /// Of each server.
  RedisOptions server = {};
};

/// A master, its replicas and sentinels that watch them and hold a master for dead after 1.5 s. (With less than a
/// second they hold the next one for dead at once: they connect to a server no more than once a second.) One thread.
class SentinelGroup {
 public:
  static constexpr const char* kMaster = "mymaster";

  /// Returns when the sentinels know each other and the replicas, and these have the master's data. Throws
  /// std::runtime_error when that does not come about.
  explicit SentinelGroup(SentinelGroupOptions options = {});

  /// `redis-sentinel://127.0.0.1:1,127.0.0.1:2/mymaster`
  std::string url() const;
  RedisServer& server(std::size_t i) { return *servers_[i]; }
  SentinelServer& sentinel(std::size_t i) { return *sentinels_[i]; }
  /// Which server the sentinels name, those that answer; servers() when none does.
  std::size_t master() const;
  std::size_t servers() const { return servers_.size(); }
  std::string address(std::size_t i) const { return "127.0.0.1:" + std::to_string(servers_[i]->port()); }

  /// The replicas hear nothing of the master any more, and do not come back to it.
  void pause_replication();
  /// Asks for another master, until a sentinel sees one that will do. False: not in time.
  bool ask_for_failover();
  /// Returns when the sentinels name another master than `former`, and it is one. False: not in time.
  bool wait_for_failover(std::size_t former, std::chrono::milliseconds patience = std::chrono::seconds(30));
  /// Starts a killed server again as a replica, and returns when the group is whole as after construction.
  void restart_as_replica(std::size_t i);

 private:
  std::vector<std::string> config(std::size_t master) const;
  void wait_until_whole();

  const SentinelGroupOptions options_;
  std::vector<std::unique_ptr<RedisServer>> servers_;
  std::vector<std::unique_ptr<SentinelServer>> sentinels_;
};

}  // namespace dsta::cache::testing_support
