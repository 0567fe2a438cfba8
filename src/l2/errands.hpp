#pragma once
#include <functional>
#include <memory>

#include "wake.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A thread that waits for slow things, so that its owner need not: one errand at a time. One thread.
///
/// Nothing interrupts the resolver or a handshake, so at the end an errand under way is not waited for but left behind:
/// it must own all that it uses, and end by a deadline.
class Errands {
 public:
  /// `done` is rung after each errand.
  explicit Errands(std::shared_ptr<LinkWatch> done);
  ~Errands();
  Errands(const Errands&) = delete;
  Errands& operator=(const Errands&) = delete;

  /// What the last errand wrote may be read when this is true.
  bool idle() const;
  /// Only when idle. One that throws is over like any other: what it wrote until then says so.
  void run(std::function<void()> errand);

 private:
  struct Shared;
  const std::shared_ptr<Shared> shared_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
