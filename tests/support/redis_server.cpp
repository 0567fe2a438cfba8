#include "redis_server.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "wire_client.hpp"

namespace dsta::cache::testing_support {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kSecret = "harness-secret";

/// The one that was chosen, or else the first on the PATH. redis-check-rdb is the same executable, which serves when it
/// is called by the name redis-server. Throws std::runtime_error when what was chosen cannot be run: skipping all tests
/// would look like success.
std::string find_program() {
  if (const char* chosen = std::getenv("DSTA_CACHE_REDIS_SERVER"); chosen && *chosen) {
    if (::access(chosen, X_OK) == 0) return chosen;
    throw std::runtime_error(std::string("DSTA_CACHE_REDIS_SERVER names no program that can be run: ") + chosen);
  }
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string program = folder + "/redis-server";
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  const std::string twin = "/usr/bin/redis-check-rdb";
  return ::access(twin.c_str(), X_OK) == 0 ? twin : "";
}

/// Under /tmp whatever TMPDIR is: the path of a unix socket has room for 107 bytes.
std::string make_directory() {
  std::string path = "/tmp/dsta-redis-XXXXXX";
  if (!::mkdtemp(path.data())) throw net_error("mkdtemp");
  return path;
}

}  // namespace

bool RedisServer::available() { return !find_program().empty(); }
std::string RedisServer::program() { return find_program(); }

RedisServer::RedisServer(RedisOptions options)
    : options_(std::move(options)), directory_(make_directory()), unix_path_(directory_ + "/redis.sock") {
  try {
    start();
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
    throw;
  }
}

RedisServer::~RedisServer() {
  process_.reset();
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

std::string RedisServer::url() const {
  const std::string scheme = options_.tls ? "rediss://" : "redis://";
  const std::string password = options_.password.empty() ? "" : ":" + options_.password + "@";
  return scheme + password + "127.0.0.1:" + std::to_string(port());
}

void RedisServer::start() {
  if (running()) return;
  const std::string program = find_program();
  if (program.empty()) throw std::runtime_error("no redis-server on this machine");
  write_config();
  // Only a process that binds the same number on purpose could be in the way; it is given time to go.
  for (int attempt = 0; attempt < 5; ++attempt) {
    process_.reset();
    fs::remove(directory_ + "/log");
    process_ = std::make_unique<ChildProcess>(
        program, std::vector<std::string>{"redis-server", directory_ + "/redis.conf"}, directory_ + "/log");
    if (answers_soon()) return;
    if (log_end().find("Address already in use") == std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  process_.reset();
  throw std::runtime_error("redis-server does not start:\n" + log_end());
}

/// Asked by the unix socket in its own directory, so that no other server can answer.
bool RedisServer::answers_soon() {
  const auto deadline = Clock::now() + std::chrono::seconds(20);
  while (running() && Clock::now() < deadline) {
    try {
      if (command({"PING"}, std::chrono::seconds(2)) == "PONG") return true;
    } catch (const NetError&) {
      // Not listening yet.
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

void RedisServer::write_config() const {
  std::ofstream file(directory_ + "/redis.conf");
  const std::string plain_port = options_.tls ? "0" : std::to_string(port());
  file << "bind 127.0.0.1\nport " << plain_port << "\nunixsocket " << unix_path_ << "\nunixsocketperm 700\ndir "
       << directory_ << "\nsave \"\"\nappendonly no\ndaemonize no\nuser harness on >" << kSecret << " ~* &* +@all\n";
  if (const auto& tls = options_.tls) {
    file << "tls-port " << port() << "\ntls-cert-file " << tls->certificate << "\ntls-key-file " << tls->key
         << "\ntls-ca-cert-file " << tls->authority << "\ntls-auth-clients " << (tls->ask_clients ? "yes" : "no")
         << '\n';
  }
  if (!options_.password.empty()) file << "requirepass \"" << options_.password << "\"\n";
  for (const std::string& user : options_.users) file << "user " << user << '\n';
  for (const std::string& line : options_.config) file << line << '\n';
}

std::string RedisServer::log_end() const {
  std::ifstream file(directory_ + "/log");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return text.substr(text.size() - std::min<std::size_t>(text.size(), 2000));
}

void RedisServer::stop() {
  if (!process_) return;
  process_->signal(SIGTERM);
  process_->resume();
  process_->wait_for_end(std::chrono::seconds(10));
  process_.reset();
}

void RedisServer::kill() { process_.reset(); }

void RedisServer::pause() {
  if (process_) process_->pause();
}

void RedisServer::resume() {
  if (process_) process_->resume();
}

std::string RedisServer::command(const std::vector<std::string>& words, std::chrono::milliseconds patience) const {
  WireClient client = WireClient::unix_socket(unix_path_, patience);
  const std::string welcome = client.call({"AUTH", "harness", kSecret});
  if (welcome != "OK") throw NetError(NetError::Kind::protocol, "AUTH: " + welcome);
  return client.call(words);
}

}  // namespace dsta::cache::testing_support
