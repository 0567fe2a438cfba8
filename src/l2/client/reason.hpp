#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

#include "l2/resp/reply.hpp"
#include "l2/resp/request.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Why something did not come about at the server, as text for results, health and the log: it names the command and
/// what the server said. Nothing of a server's text is repeated but what is known to hold no secret: servers have been
/// known to quote what they were sent.
///
/// Results hold views, so the text lives as long as the process, each text once. There are as many as commands times
/// known answers and reasons of the network; beyond kMostReasons, and without memory, a literal says less.

inline constexpr std::size_t kMostReasons = 1024;
std::string_view keep_reason(std::string_view text) noexcept;

/// `command: what`, and what an error of the server means.
std::string_view reason_of(std::string_view command, std::string_view what) noexcept;
std::string_view reason_of(std::string_view command, const Reply& error) noexcept;
/// The same for a literal, which stands for itself where no more are kept.
std::string_view reason_of_literal(std::string_view command, std::string_view what) noexcept;
/// Notes in each of `replies`, from `first` on, that is an error what it was the reply to.
void name_errors(const Request& request, std::vector<Reply>& replies, std::size_t first = 0) noexcept;

/// The last reason for which this thread did not get what it asked the server for; empty when it got it.
class LastReason {
 public:
  static std::string_view get() noexcept { return last_; }
  static void set(std::string_view kept) noexcept { last_ = kept; }

 private:
  static inline constinit thread_local std::string_view last_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
