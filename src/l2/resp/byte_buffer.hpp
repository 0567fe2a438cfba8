#pragma once
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Room for bytes that come in. Unlike a string it writes no zeros where it grows, and the C library moves what is
/// large by mapping it elsewhere instead of copying: with a value of 40 MB both took as long as receiving it. One
/// thread.
class ByteBuffer {
 public:
  char* data() { return bytes_.get(); }
  const char* data() const { return bytes_.get(); }
  std::size_t size() const { return size_; }

  /// What is new is undefined. Throws std::bad_alloc, and stays as it is then.
  void grow(std::size_t size) {
    if (size <= size_) return;
    void* const grown = std::realloc(bytes_.get(), size);
    if (!grown) throw std::bad_alloc();
    static_cast<void>(bytes_.release());
    bytes_.reset(static_cast<char*>(grown));
    size_ = size;
  }
  /// Takes [begin, end) to the front.
  void keep(std::size_t begin, std::size_t end) {
    if (begin != 0 && begin != end) std::memmove(bytes_.get(), bytes_.get() + begin, end - begin);
  }
  void release() {
    bytes_.reset();
    size_ = 0;
  }

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<char, Free> bytes_;
  std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
