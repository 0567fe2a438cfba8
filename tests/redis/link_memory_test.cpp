// Memory that cannot be had for a reply costs that connection and is no exception.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "l2/client/link.hpp"
#include "redis_server.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::RedisServer;

/// Leaves this process room for `more` bytes beyond what it has mapped.
void limit_memory(std::size_t more) {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t limit = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + more;
  const rlimit both{limit, limit};
  ::setrlimit(RLIMIT_AS, &both);
}

TEST(LinkMemory, AReplyWithoutMemoryIsAFaultAndTheNextSucceeds) {
  if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
  if (testing_support::kSanitized) GTEST_SKIP() << "a sanitizer maps more memory than any limit";
  const RedisServer server;
  server.command({"SETRANGE", "big", "100000000", "x"});
  server.command({"SET", "small", "v"});
  LinkOptions options;
  options.address.host = "127.0.0.1";
  options.address.port = server.port();
  options.operation_timeout = 10s;
  options.log.level = LogLevel::off;
  // In a child of its own: the limit cannot be taken back.
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    int failed = 0;
    {
      Link link(options);
      if (!link.run(Request{"GET", "small"}, Purpose::read)) failed |= 1;
      limit_memory(std::size_t{40} << 20);
      try {
        if (link.run(Request{"GET", "big"}, Purpose::read)) failed |= 2;
        const Answer answer = link.run(Request{"GET", "small"}, Purpose::read);
        if (!answer || answer.replies[0].text != "v") failed |= 4;
      } catch (...) {
        failed |= 8;
      }
    }
    ::_exit(failed);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "it was ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace dsta::cache::detail
