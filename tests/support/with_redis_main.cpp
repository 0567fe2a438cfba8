/// usage: with_redis [SUFFIX] -- COMMAND [ARGUMENT...]
///
/// Runs a command with DSTA_CACHE_URL naming a server that is started for it and stopped after it; SUFFIX is put after
/// the URL, as "?l1=false". Ends as the command does; with 77 when there is no server to run.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

#include "redis_server.hpp"

namespace {

constexpr int kSkipped = 77;

int run(char** command) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execvp(command[0], command);
    std::perror(command[0]);
    ::_exit(127);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return 126;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int main(int count, char** arguments) {
  int at = 1;
  std::string suffix;
  if (at < count && std::string_view(arguments[at]) != "--") suffix = arguments[at++];
  if (at + 1 >= count || std::string_view(arguments[at]) != "--") {
    std::fprintf(stderr, "usage: with_redis [SUFFIX] -- COMMAND [ARGUMENT...]\n");
    return 2;
  }
  using dsta::cache::testing_support::RedisServer;
  if (!RedisServer::available()) {
    std::fprintf(stderr, "with_redis: skipped: no redis-server on this machine\n");
    return kSkipped;
  }
  try {
    const RedisServer server;
    ::setenv("DSTA_CACHE_URL", (server.url() + suffix).c_str(), 1);
    return run(arguments + at + 1);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "with_redis: %s\n", error.what());
    return 1;
  }
}
