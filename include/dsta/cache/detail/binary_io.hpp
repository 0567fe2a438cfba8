#pragma once
/// Bytes of the binary codec, written and read.
///
/// The idea: numbers have a fixed size, so that a vector of them is one copy; lengths are varints, as most are small.
/// The attack: a few bytes that claim a billion elements, or a million empty strings of 32 bytes each. The defence:
/// encoder and decoder add up, by the same constants of the format (kMemory), what a value takes in memory. Where that
/// is more than 16 times the bytes, the encoder appends zeros until it is not, and the decoder refuses before it
/// allocates. So no honest value is refused. Values that are padded are rare: containers of mostly empty containers.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Bytes of memory that decoding takes at most for each byte of input.
inline constexpr std::size_t kMemoryPerByte = 16;

/// The fewest bytes that may become so much memory.
constexpr std::size_t padded_size(std::size_t memory) {
  return memory / kMemoryPerByte + (memory % kMemoryPerByte != 0);
}

/// Deeper values of a type that contains itself are refused, as recursion would overflow the stack.
inline constexpr int kMaxDepth = 64;

/// Appends to a string. One thread.
class BinaryWriter {
 public:
  explicit BinaryWriter(std::string& out) : out_(out), start_(out.size()) {}

  void bytes(const void* data, std::size_t size) { out_.append(static_cast<const char*>(data), size); }

  /// `size` bytes more, to be written by the caller.
  char* extend(std::size_t size) {
    const std::size_t at = out_.size();
    out_.resize(at + size);
    return out_.data() + at;
  }

  void byte(unsigned char value) { out_.push_back(static_cast<char>(value)); }

  /// Seven bits a byte, the low ones first; all but the last byte have the high bit.
  void length(std::size_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<unsigned char>(value | 0x80));
    byte(static_cast<unsigned char>(value));
  }

  /// `count` elements will take `each` bytes of memory when they are decoded.
  void charge(std::size_t count, std::size_t each) { memory_ += count * each; }

  /// Around what a type that contains itself has inside. Throws ValueError.
  void enter() {
    if (++depth_ > kMaxDepth) throw ValueError("this value is nested deeper than 64 levels and cannot be encoded");
  }
  void leave() { --depth_; }

  /// Last: the zeros.
  void finish() {
    const std::size_t needed = padded_size(memory_);
    if (out_.size() - start_ < needed) out_.resize(start_ + needed);
  }

 private:
  std::string& out_;
  std::size_t start_;
  std::size_t memory_ = 0;
  int depth_ = 0;
};

/// Reads bytes that anybody may have written. Every call that returns false or null refuses them. One thread.
class BinaryReader {
 public:
  explicit BinaryReader(std::string_view bytes)
      : begin_(bytes.data()),
        at_(bytes.data()),
        end_(bytes.data() + bytes.size()),
        allowed_(bytes.size() > std::numeric_limits<std::size_t>::max() / kMemoryPerByte
                     ? std::numeric_limits<std::size_t>::max()
                     : bytes.size() * kMemoryPerByte) {}

  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  /// The next `size` bytes.
  const char* take(std::size_t size) {
    if (left() < size) return nullptr;
    const char* const taken = at_;
    at_ += size;
    return taken;
  }

  bool byte(unsigned char& value) {
    if (at_ == end_) return false;
    value = static_cast<unsigned char>(*at_++);
    return true;
  }

  /// Only the shortest spelling is one.
  bool length(std::size_t& value) {
    value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      unsigned char next = 0;
      if (!byte(next)) return false;
      const std::uint64_t bits = next & 0x7FU;
      if (shift == 63 && bits > 1) return false;
      value |= static_cast<std::size_t>(bits << shift);
      if (next < 0x80) return next != 0 || shift == 0;
    }
    return false;
  }

  /// How many elements follow, each of at least `min` bytes here and `each` bytes in memory.
  bool count(std::size_t& value, std::size_t min, std::size_t each) {
    return length(value) && value <= left() / min && charge(value, each);
  }

  bool charge(std::size_t count, std::size_t each) {
    if (each != 0 && count > (allowed_ - memory_) / each) return false;
    memory_ += count * each;
    return true;
  }

  bool enter() { return ++depth_ <= kMaxDepth; }
  void leave() { --depth_; }

  /// True when exactly this many zeros are left as the encoder would have appended.
  bool finish() {
    const std::size_t needed = padded_size(memory_);
    const auto read = static_cast<std::size_t>(at_ - begin_);
    if (left() != (read < needed ? needed - read : 0)) return false;
    for (; at_ != end_; ++at_) {
      if (*at_ != 0) return false;
    }
    return true;
  }

 private:
  const char* begin_;
  const char* at_;
  const char* end_;
  std::size_t allowed_;
  std::size_t memory_ = 0;
  int depth_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
