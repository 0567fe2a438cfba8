#pragma once
#include <charconv>
#include <concepts>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A text that is built on the stack and moves to the heap only when it outgrows it. One thread.
class KeyBuffer {
 public:
  KeyBuffer() = default;
  KeyBuffer(const KeyBuffer&) = delete;
  KeyBuffer& operator=(const KeyBuffer&) = delete;

  void append(std::string_view text) {
    if (text.empty()) return;
    reserve(text.size());
    std::memcpy(data_ + size_, text.data(), text.size());
    size_ += text.size();
  }

  void push(char c) {
    reserve(1);
    data_[size_++] = c;
  }

  /// Shortest text that reads back as the same number; the same in every locale.
  template <class Number>
  void append_number(Number number) {
    reserve(64);
    size_ = static_cast<std::size_t>(std::to_chars(data_ + size_, data_ + capacity_, number).ptr - data_);
  }

  std::string_view view() const { return {data_, size_}; }
  std::size_t size() const { return size_; }
  void truncate(std::size_t size) { size_ = size; }

 private:
  void reserve(std::size_t more) {
    if (more > capacity_ - size_) [[unlikely]]
      grow(more);
  }

  void grow(std::size_t more) {
    const std::size_t capacity = (size_ + more) * 2;
    auto bigger = std::make_unique_for_overwrite<char[]>(capacity);
    std::memcpy(bigger.get(), data_, size_);
    heap_ = std::move(bigger);
    data_ = heap_.get();
    capacity_ = capacity;
  }

  std::size_t size_ = 0;
  std::size_t capacity_ = sizeof inline_;
  char* data_ = inline_;
  std::unique_ptr<char[]> heap_;
  char inline_[320];
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
