#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What a reply may be at most. Beyond it the connection is closed.
struct ReplyLimits {
  std::size_t bytes = std::size_t{512} << 20;  ///< of one text
  std::size_t whole = std::size_t{64} << 20;   ///< of one reply, headers and all, where `bytes` is less than that
  std::size_t elements = std::size_t{1} << 20;
};

/// Looks at the bytes of a connection before anything is allocated for what they announce. One thread.
///
/// Idea: a server that is broken, an impostor, or bytes out of step can announce two thousand million elements; the
/// parser behind believes every header and checks no line end. So each reply is first walked header by header: kinds,
/// numbers, line ends, nesting and sizes, as far as it has come; only a whole reply that passed goes on. Nothing is
/// looked at twice however the bytes are cut.
class ReplyGuard {
 public:
  explicit ReplyGuard(ReplyLimits limits = {}) : limits_(limits) {}

  enum class Verdict : std::uint8_t { incomplete, complete, refused };
  /// `bytes` starts where the current reply starts and holds all that has come of it. Complete: `size()` bytes are one
  /// whole reply, and the next call is about the next one.
  Verdict look(std::string_view bytes);
  std::size_t size() const { return size_; }
  /// Why the last verdict was `refused`.
  std::string_view reason() const { return reason_; }
  /// How many headers had come with that of a large text which is still to come, or is refused; 0: there is none.
  /// By any thread. It may be said for a while of one that has come.
  std::uint32_t large_at() const { return large_at_.load(std::memory_order_relaxed); }
  void forget_large() { large_at_.store(0, std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kDepth = 7;  ///< as deep as the parser goes
  static constexpr std::size_t kLongestLine = std::size_t{64} << 10;

  Verdict refuse(std::string_view reason);
  bool header(std::string_view line);
  bool number(std::string_view digits, std::int64_t& value);
  void end_element();
  void note_text(std::uint64_t size);

  ReplyLimits limits_;
  std::size_t at_ = 0;        ///< looked at so far
  std::size_t searched_ = 0;  ///< of the current line
  std::size_t body_ = 0;      ///< bytes of the current text still to come, its line end included
  std::size_t elements_ = 0;
  std::size_t depth_ = 0;
  std::int64_t left_[kDepth] = {};  ///< elements still to come, outermost first
  bool done_ = false;
  std::size_t size_ = 0;
  std::string_view reason_;
  std::atomic<std::uint32_t> large_at_{0};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
