/// From an address to a connected socket, by a deadline that holds whatever the resolver or the network does.
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <system_error>
#include <vector>

#include "base/mutex.hpp"
#include "base/thread.hpp"
#include "l2/net/stream.hpp"
#include "l2/net/wake.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// A peer that is gone is noticed after 25 s without an answer, whether anything was sent or not.
constexpr int kIdleSeconds = 10, kProbeSeconds = 5, kProbes = 3;

struct SocketAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

std::string reason(int code) { return std::system_category().message(code); }

std::vector<SocketAddress> resolve(const Address& address, int flags, std::string& error) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int failed = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &list);
  if (failed != 0) {
    error = ::gai_strerror(failed);
    return {};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(list, ::freeaddrinfo);
  std::vector<SocketAddress> found;
  for (const addrinfo* one = list; one; one = one->ai_next) {
    SocketAddress& next = found.emplace_back();
    std::memcpy(&next.bytes, one->ai_addr, one->ai_addrlen);
    next.size = one->ai_addrlen;
  }
  return found;
}

/// getaddrinfo has no deadline and cannot be interrupted, so a name is looked up on a thread of its own, which is left
/// behind when it takes too long. Addresses in numbers need none.
std::vector<SocketAddress> resolve_by(const Address& address, TimePoint deadline, std::string& error) {
  if (auto found = resolve(address, AI_NUMERICHOST, error); !found.empty()) return found;
  struct Lookup {
    Wake ended;
    Mutex mutex;
    bool done DSTA_GUARDED_BY(mutex) = false;
    std::vector<SocketAddress> found DSTA_GUARDED_BY(mutex);
    std::string error DSTA_GUARDED_BY(mutex);
  };
  auto lookup = std::make_shared<Lookup>();
  const bool started = start_detached_thread("dsta-resolve", [lookup, address] {
    std::string why;
    std::vector<SocketAddress> found;
    try {
      found = resolve(address, AI_ADDRCONFIG, why);
    } catch (const std::exception&) {  // no memory: as good as not found
      found.clear();
    }
    {
      const MutexLock lock(lookup->mutex);
      lookup->found = std::move(found);
      lookup->error = std::move(why);
      lookup->done = true;
    }
    lookup->ended.ring();
  });
  if (!started) {
    error = "there is no thread to resolve the name";
    return {};
  }
  wait_ready(lookup->ended.descriptor(), false, deadline);
  const MutexLock lock(lookup->mutex);
  if (!lookup->done) {
    error = "the name was not resolved in time";
    return {};
  }
  error = lookup->error;
  return lookup->found;
}

SocketAddress unix_address(const std::string& path, std::string& error) {
  SocketAddress address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.bytes);
  if (path.size() >= sizeof local.sun_path) {
    error = fmt::format("the socket's path has more than {} bytes", sizeof local.sun_path - 1);
    return address;
  }
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.c_str(), path.size() + 1);
  address.size = static_cast<socklen_t>(sizeof local);
  return address;
}

void set(int fd, int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); }

Descriptor connect_to(const SocketAddress& address, TimePoint deadline, std::string& error) {
  const int family = address.bytes.ss_family;
  Descriptor fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) {
    error = reason(errno);
    return fd;
  }
  if (family != AF_UNIX) {
    set(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, kIdleSeconds);
    set(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL, kProbeSeconds);
    set(fd.get(), IPPROTO_TCP, TCP_KEEPCNT, kProbes);
    // Where both are set the kernel goes by this one, for probes too: it must say what they say.
    set(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, (kIdleSeconds + kProbes * kProbeSeconds) * 1000);
  }
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0) return fd;
  // A unix socket whose backlog is full says EAGAIN and would have to be tried again: that is a failure here.
  if (errno != EINPROGRESS && errno != EINTR) {
    error = reason(errno);
    return {};
  }
  if (!wait_ready(fd.get(), true, deadline)) {
    error = "no connection in time";
    return {};
  }
  int failed = 0;
  socklen_t size = sizeof failed;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failed, &size);
  if (failed == 0) return fd;
  error = reason(failed);
  return {};
}

}  // namespace

Descriptor connect_socket(const Address& address, TimePoint deadline, std::string& error) {
  std::vector<SocketAddress> candidates;
  if (address.host.empty()) {
    const SocketAddress local = unix_address(address.socket_path, error);
    if (local.size != 0) candidates.push_back(local);
  } else {
    candidates = resolve_by(address, deadline, error);
  }
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const TimePoint now = std::chrono::steady_clock::now();
    if (now >= deadline) {
      error = "no connection in time";
      break;
    }
    // One address that swallows everything must not use up the time of the others.
    const auto share = (deadline - now) / static_cast<int>(candidates.size() - i);
    Descriptor fd = connect_to(candidates[i], now + share, error);
    if (fd) return fd;
  }
  return {};
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
