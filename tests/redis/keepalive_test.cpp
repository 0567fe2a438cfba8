// What the kernel is asked to do for connections that nobody uses.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include <string>

#include "l2/net/stream.hpp"
#include "redis_server.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::RedisServer;

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(fd, level, name, &value, &size);
  return value;
}

TEST(Keepalive, ALostPeerIsNoticedAfterTenSecondsAndThreeProbes) {
  if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  const RedisServer server;
  std::string error;
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  const Descriptor socket =
      connect_socket({.host = "127.0.0.1", .port = server.port(), .socket_path = ""}, deadline, error);
  ASSERT_TRUE(socket) << error;
  const int fd = socket.get();
  EXPECT_EQ(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  const int idle = option(fd, IPPROTO_TCP, TCP_KEEPIDLE), interval = option(fd, IPPROTO_TCP, TCP_KEEPINTVL),
            probes = option(fd, IPPROTO_TCP, TCP_KEEPCNT);
  EXPECT_EQ(idle, 10);
  EXPECT_EQ(interval, 5);
  EXPECT_EQ(probes, 3);
  EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), (idle + probes * interval) * 1000)
      << "the kernel goes by it for probes too";
  EXPECT_EQ(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
}

}  // namespace
}  // namespace dsta::cache::detail
