#pragma once
#include <string_view>

namespace dsta::cache {
inline namespace v1 {

/// The result of a write. True in an `if` when the value is stored. A plain value.
class SetResult {
 public:
  /// What became of the value.
  enum Status {
    stored,      ///< the value is in the cache
    not_stored,  ///< certainly not stored: reason() says why
    unknown,     ///< the server did not answer in time: it may or may not be stored
  };

  /// The library makes them. The text of `reason` must live as long as the process.
  constexpr SetResult(Status status, std::string_view reason = {}) : status_(status), reason_(reason) {}

  /// True when it is stored.
  constexpr explicit operator bool() const { return status_ == stored; }
  /// Which of the three it is.
  constexpr Status status() const { return status_; }
  /// Why it is not stored; empty when it is. If the server refused it: the command, and what the server said. The text
  /// lives as long as the process.
  constexpr std::string_view reason() const { return reason_; }
  /// Compares status(): `result == SetResult::stored`.
  friend constexpr bool operator==(SetResult result, Status status) { return result.status_ == status; }

 private:
  Status status_;
  std::string_view reason_;
};

}  // namespace v1
}  // namespace dsta::cache
