#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "net.hpp"

namespace dsta::cache::testing_support {

/// A T that processes share by a file; made of zero bytes. Thread-safe as T is.
template <class T>
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file || ::ftruncate(file.get(), sizeof(T)) != 0) throw net_error("open " + path);
    memory_ = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory_ == MAP_FAILED) throw net_error("mmap " + path);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() { ::munmap(memory_, sizeof(T)); }

  T& operator*() const { return *static_cast<T*>(memory_); }
  T* operator->() const { return static_cast<T*>(memory_); }

 private:
  void* memory_ = nullptr;
};

}  // namespace dsta::cache::testing_support
