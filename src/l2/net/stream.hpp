#pragma once
#include <cstddef>
#include <memory>
#include <string>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// An open file descriptor, closed at the end.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return fd_; }
  int release();
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// What a step on a non-blocking stream came to.
struct Step {
  enum class Kind : unsigned char { moved, wait_read, wait_write, closed, failed };
  Kind kind = Kind::failed;
  std::size_t bytes = 0;
};

/// Bytes to and from a server. Reading by one thread and writing by another at the same time is fine.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual Step read(char* into, std::size_t room) = 0;
  /// The one step that blocks: waits for bytes until `deadline` (steady clock) as wait_ready does, and reads what is
  /// there. wait_read or wait_write: none came.
  virtual Step read_by(char* into, std::size_t room, TimePoint deadline);
  virtual Step write(const char* from, std::size_t size) = 0;
  /// Ends both directions, so that a thread that waits on the descriptor wakes. Idempotent.
  virtual void shut() noexcept = 0;
  /// Lets go of the descriptor without a word to the server: for the child of a fork, whose parent goes on using it.
  virtual void forget() noexcept = 0;
  virtual int descriptor() const = 0;
};

/// Waits until `fd` is ready for reading or writing, or `deadline` (steady clock) is past. False: past.
bool wait_ready(int fd, bool for_writing, TimePoint deadline);

/// While it lives, the calling thread waits in wait_ready no longer once `interrupt` is readable: as if the deadline
/// were past.
class Interruptible {
 public:
  explicit Interruptible(int interrupt) noexcept;
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

 private:
  const int outer_;
};

/// Where a server is.
struct Address {
  std::string host;  ///< empty: `socket_path` is meant
  unsigned short port = 0;
  std::string socket_path;  ///< a unix-domain socket
};

/// A connected stream without encryption. Null when it did not come about by `deadline`; `error` says why.
std::unique_ptr<Stream> connect_plain(const Address& address, TimePoint deadline, std::string& error);

/// A connected, non-blocking socket with keepalive and without Nagle's delay.
Descriptor connect_socket(const Address& address, TimePoint deadline, std::string& error);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
