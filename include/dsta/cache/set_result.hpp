#pragma once
#include <string_view>

namespace dsta::cache {
inline namespace v1 {

/// What became of a write. True in an `if` when it is stored.
class SetResult {
 public:
  enum Status {
    stored,
    not_stored,  ///< it is certain that it is not: reason() says why
    unknown,     ///< the server did not answer in time: it may or may not be
  };

  constexpr SetResult(Status status, std::string_view reason = {}) : status_(status), reason_(reason) {}

  constexpr explicit operator bool() const { return status_ == stored; }
  constexpr Status status() const { return status_; }
  /// Empty when stored. Where the server said no: the command and what it said. Lives as long as the process.
  constexpr std::string_view reason() const { return reason_; }
  friend constexpr bool operator==(SetResult result, Status status) { return result.status_ == status; }

 private:
  Status status_;
  std::string_view reason_;
};

}  // namespace v1
}  // namespace dsta::cache
