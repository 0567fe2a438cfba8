#pragma once
#include <exception>
#include <optional>
#include <utility>

#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {

/// What one item of a batch came to: a value, nothing (the batch loader does not know the item), or the exception its
/// load ended in.
template <class T>
class Outcome {
 public:
  /// Missing.
  Outcome() = default;
  Outcome(T value) : value_(std::move(value)) {}
  Outcome(std::exception_ptr error) : error_(std::move(error)) {}

  bool has_value() const { return value_.has_value(); }
  explicit operator bool() const { return has_value(); }
  /// Neither value nor error.
  bool missing() const { return !value_ && !error_; }
  /// The value. Without one it rethrows the load's exception, or throws LoadError when the item is missing.
  const T& value() const {
    if (error_) std::rethrow_exception(error_);
    if (!value_) throw LoadError("the batch loader returned nothing for this item: look at missing() first");
    return *value_;
  }
  const T& operator*() const { return value(); }
  const T* operator->() const { return &value(); }
  T value_or(T fallback) const { return value_ ? *value_ : std::move(fallback); }
  /// Null when there is no exception.
  std::exception_ptr error() const { return error_; }
  friend bool operator==(const Outcome& outcome, const T& value) { return outcome.value_ == value; }

 private:
  std::optional<T> value_;
  std::exception_ptr error_;
};

}  // namespace v1
}  // namespace dsta::cache
