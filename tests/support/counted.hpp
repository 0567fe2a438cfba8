#pragma once
#include <dsta/cache/in_process_only.hpp>

#include <atomic>
#include <cstdint>

namespace dsta::cache::testing_support {

/// A value that counts those like it that live.
class Counted {
 public:
  using Count = std::atomic<std::int64_t>;

  explicit Counted(Count& living) : living_(&living) { ++*living_; }
  Counted(const Counted& other) : living_(other.living_) { ++*living_; }
  Counted& operator=(const Counted& other) {
    ++*other.living_;
    --*living_;
    living_ = other.living_;
    return *this;
  }
  ~Counted() { --*living_; }

 private:
  Count* living_;
};

}  // namespace dsta::cache::testing_support

template <>
inline constexpr bool dsta::cache::in_process_only<dsta::cache::testing_support::Counted> = true;
