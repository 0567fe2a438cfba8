#pragma once
#include <cstddef>

namespace dsta::cache::testing_support {

/// Which allocations of the process fail. One shortage at a time.
class Shortage {
 public:
  enum class Where {
    here,     ///< of the thread that made this
    library,  ///< of the threads that the library started
  };
  enum class Lasts {
    once,  ///< one allocation fails
    on,    ///< and all after it
  };

  /// The `at`-th allocation fails, counted from 1; with 0 none does.
  Shortage(Where where, long at, Lasts lasts = Lasts::once);
  ~Shortage() { end(); }
  Shortage(const Shortage&) = delete;
  Shortage& operator=(const Shortage&) = delete;

  /// Memory is to be had again. Returns how many allocations were made until then.
  long end();
  /// How many were made so far.
  static long made();
};

/// Blocks that are allocated and not freed.
long live_blocks();

/// Bytes that this thread has asked for so far, freed or not.
std::size_t asked_bytes();

}  // namespace dsta::cache::testing_support
