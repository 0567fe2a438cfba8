#pragma once
#include <exception>
#include <optional>
#include <utility>

#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {

/// The result of one item of a batch: a value, missing (the bulk loader does not know the item), or the exception of
/// its load. A plain value.
template <class T>
class Outcome {
 public:
  /// Missing.
  Outcome() = default;
  /// A value.
  Outcome(T value) : value_(std::move(value)) {}
  /// The exception of a load.
  Outcome(std::exception_ptr error) : error_(std::move(error)) {}

  /// True when there is a value.
  bool has_value() const { return value_.has_value(); }
  /// The same.
  explicit operator bool() const { return has_value(); }
  /// The bulk loader does not know the item: neither value nor error.
  bool missing() const { return !value_ && !error_; }
  /// The value. Without one, rethrows the exception of the load, or throws LoadError when the item is missing.
  const T& value() const {
    if (error_) std::rethrow_exception(error_);
    if (!value_) throw LoadError("the bulk_loader returned nothing for this item: check missing() first");
    return *value_;
  }
  /// As value().
  const T& operator*() const { return value(); }
  /// As value().
  const T* operator->() const { return &value(); }
  /// The value, or `fallback`. Does not throw the exception of the load.
  T value_or(T fallback) const { return value_ ? *value_ : std::move(fallback); }
  /// The exception of the load; null when there is none.
  std::exception_ptr error() const { return error_; }
  /// True when there is a value, and it equals `value`.
  friend bool operator==(const Outcome& outcome, const T& value) { return outcome.value_ == value; }

 private:
  std::optional<T> value_;
  std::exception_ptr error_;
};

}  // namespace v1
}  // namespace dsta::cache
