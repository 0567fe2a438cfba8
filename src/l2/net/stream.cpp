#include "l2/net/stream.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

int Descriptor::release() { return std::exchange(fd_, -1); }

namespace {
constinit thread_local int interrupt_of_thread = -1;  // poll passes over a negative one
}

Interruptible::Interruptible(int interrupt) noexcept : outer_(std::exchange(interrupt_of_thread, interrupt)) {}
Interruptible::~Interruptible() { interrupt_of_thread = outer_; }

bool wait_ready(int fd, bool for_writing, TimePoint deadline) {
  pollfd wanted[] = {{.fd = fd, .events = static_cast<short>(for_writing ? POLLOUT : POLLIN), .revents = 0},
                     {.fd = interrupt_of_thread, .events = POLLIN, .revents = 0}};
  for (;;) {
    // The time left is worked out again after each signal: none may lengthen the wait.
    const Duration left = deadline - std::chrono::steady_clock::now();
    if (left <= Duration::zero()) return ::poll(wanted, 1, 0) > 0;
    const timespec limit{.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000),
                         .tv_nsec = static_cast<long>(left.count() % 1'000'000'000)};
    const int ready = ::ppoll(wanted, 2, &limit, nullptr);
    if (ready > 0) return wanted[1].revents == 0;
    if (ready < 0 && errno != EINTR) return true;  // the next step on the stream says what is wrong
  }
}

Step Stream::read_by(char* into, std::size_t room, TimePoint deadline) {
  for (;;) {
    const Step step = read(into, room);
    const bool writes = step.kind == Step::Kind::wait_write;
    if (step.kind != Step::Kind::wait_read && !writes) return step;
    if (!wait_ready(descriptor(), writes, deadline)) return step;
  }
}

namespace {

/// How long one call of recv blocks at most, and what must be left until the deadline for it to block at all: the
/// kernel counts this time in coarse steps.
constexpr std::chrono::milliseconds kBlock{10};
constexpr std::chrono::milliseconds kLeast{50};

/// False: the kernel would not have it, and no call may block.
bool let_block(int fd) {
  const timeval limit{.tv_sec = 0, .tv_usec = std::chrono::microseconds(kBlock).count()};
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0) return false;
  const int flags = ::fcntl(fd, F_GETFL);
  return flags != -1 && ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0;
}

class PlainStream final : public Stream {
 public:
  explicit PlainStream(Descriptor socket) : socket_(std::move(socket)), may_block_(let_block(socket_.get())) {}

  Step read(char* into, std::size_t room) override { return read(into, room, MSG_DONTWAIT); }
  /// One system call where polling takes three: what is read here has mostly not come yet. It ends soon enough to look
  /// at the clock again, and the last of the time is waited for by polling, so the deadline is as exact.
  Step read_by(char* into, std::size_t room, TimePoint deadline) override {
    while (may_block_ && interrupt_of_thread == -1 && deadline - std::chrono::steady_clock::now() > kLeast) {
      const Step step = read(into, room, 0);
      if (step.kind != Step::Kind::wait_read) return step;
    }
    return Stream::read_by(into, room, deadline);
  }

  Step read(char* into, std::size_t room, int flags) {
    const ssize_t got = ::recv(socket_.get(), into, room, flags);
    if (got > 0) return {Step::Kind::moved, static_cast<std::size_t>(got)};
    if (got == 0) return {Step::Kind::closed, 0};
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Step{Step::Kind::wait_read, 0}
                                                                     : Step{Step::Kind::failed, 0};
  }
  Step write(const char* from, std::size_t size) override {
    const ssize_t sent = ::send(socket_.get(), from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return {Step::Kind::moved, static_cast<std::size_t>(sent)};
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Step{Step::Kind::wait_write, 0}
                                                                     : Step{Step::Kind::failed, 0};
  }
  void shut() noexcept override { ::shutdown(socket_.get(), SHUT_RDWR); }
  void forget() noexcept override { socket_ = Descriptor(); }
  int descriptor() const override { return socket_.get(); }

 private:
  Descriptor socket_;
  const bool may_block_;
};

}  // namespace

std::unique_ptr<Stream> connect_plain(const Address& address, TimePoint deadline, std::string& error) {
  Descriptor socket = connect_socket(address, deadline, error);
  if (!socket) return nullptr;
  return std::make_unique<PlainStream>(std::move(socket));
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
