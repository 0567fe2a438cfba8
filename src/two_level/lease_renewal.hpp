#pragma once
#include "two_level/shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The step of a periodic task: renews the leases that are held and gives back those that ended, as far as they are
/// due. Says when it is to be called next. `quiet`: see Coherence::quiet.
TimePoint renew_leases(Shared& shared, std::mutex& quiet);
/// At the end of a manager: other processes wait for the leases of loads that were broken off. Takes 100 ms at most;
/// what the server does not take by then runs out.
void give_back_leases(Shared& shared, std::mutex& quiet, Duration time_limit) noexcept;

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
