#pragma once
#include <cstddef>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Whether callers of a connection yield the processor: before they write, so that others add to what they send, and
/// before they sleep, so that replies that come meanwhile cost no wake-up. Else single requests are held back (see
/// WriteBatching), and who waits sleeps at once. Logic without I/O. One thread at a time.
///
/// Idea: which of the two does more depends on what else runs. Where the callers have the processors to themselves, a
/// yield runs those whose replies have just come, and 8 callers do up to twice as much; beside other busy processes it
/// gives these a time slice of milliseconds, and the callers do a tenth. So both are tried in turn, and what counts is
/// how many requests are completed meanwhile.
///
/// Trap: the length of a yield does not tell. One's own 64 callers make it as long as another process does.
class AdaptiveYield {
 public:
  /// What is compared: requests in this time, longer if there are fewer than kLeast.
  static constexpr std::chrono::milliseconds kWindow{4}, kLongestWindow{50};
  static constexpr std::size_t kLeast = 32;
  /// Windows between two that measure the other mode: doubled each time that the choice stays the same.
  static constexpr int kLeastPause = 2, kMostPause = 32;

  bool pays() const { return yields_; }
  /// Requests were completed, in whichever mode is in use.
  void completed(std::size_t count, TimePoint now);

 private:
  void compare(double rate);

  bool yields_ = false;
  bool chosen_ = false;      ///< yields_, except while the other mode is measured
  double chosen_rate_ = 0;   ///< of the last window; 0: too few requests
  double advantage_ = 0;     ///< of yields, as a logarithm; recent measurements weigh more
  int pause_ = kLeastPause;  ///< between the last measurement and the next
  int windows_ = 0;          ///< since the last measurement
  TimePoint begun_{};
  std::size_t completed_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
