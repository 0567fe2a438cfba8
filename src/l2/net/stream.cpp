#include "l2/net/stream.hpp"

#include <poll.h>
#include <sys/socket.h>
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

namespace {

class PlainStream final : public Stream {
 public:
  explicit PlainStream(Descriptor socket) : socket_(std::move(socket)) {}

  Step read(char* into, std::size_t room) override {
    const ssize_t got = ::recv(socket_.get(), into, room, MSG_DONTWAIT);
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
