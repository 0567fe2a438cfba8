#pragma once
#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "l2/client/address_map.hpp"
#include "l2/client/link.hpp"
#include "l2/client/server_finder.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What a sentinel says of a master.
struct SentinelAnswer {
  std::optional<HostPort> master = {};
  std::string why = {};  ///< without one; nothing of the sentinel's own text
};
void add_master_request(Request& request, std::string_view master);
/// The reply to it, which is no error.
SentinelAnswer read_master(const Reply& reply);

/// Finds the master of a name by asking sentinels, one after the other, first the one that answered last. Thread-safe,
/// without a lock, so also in the child of a fork.
class MasterFinder final : public ServerFinder {
 public:
  struct Options {
    std::vector<HostPort> sentinels;
    std::string master;
    LinkOptions link;  ///< how to reach a sentinel, and who to log in as there; without the address
    AddressMap addresses{};
  };
  explicit MasterFinder(Options options);

  const std::string& name() const override { return name_; }
  /// Each sentinel but the last has half of the time that is left, so one that swallows everything cannot use it up.
  std::optional<Found> find(std::size_t source, TimePoint deadline, std::string& error) override;
  void found_wrong(std::size_t source) noexcept override;
  std::size_t first() const noexcept override { return first_.load(std::memory_order_relaxed); }
  std::size_t sources() const noexcept override { return count(); }

  // For those who listen to a sentinel.

  const std::string& master() const { return options_.master; }
  std::size_t count() const { return options_.sentinels.size(); }
  void ask_first(std::size_t sentinel) { first_.store(sentinel, std::memory_order_relaxed); }
  SentinelAnswer ask(std::size_t sentinel, TimePoint deadline) const;
  /// Asks all of them. Nothing when none is named by more than half of those that answer.
  std::optional<HostPort> named_by_most(TimePoint deadline) const;
  LinkOptions link_to(std::size_t sentinel) const;
  std::string name_of(std::size_t sentinel) const { return host_port_text(options_.sentinels[sentinel]); }
  Address reachable(const HostPort& announced) const { return options_.addresses.reachable(announced); }

 private:
  const Options options_;
  const std::string name_;
  std::atomic<std::size_t> first_{0};  ///< which sentinel
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
