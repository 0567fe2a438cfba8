#pragma once
#include <fmt/format.h>

#include <string>
#include <utility>

#include "l2/client/handshake.hpp"
#include "l2/client/server_finder.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A node of a cluster: it is always at the same place, and its Link sees to it that it is a master, and notices when
/// it has another history than before. Thread-safe.
class NodeFinder final : public ServerFinder {
 public:
  explicit NodeFinder(Address address)
      : address_(std::move(address)), name_(fmt::format("cluster node {}", endpoint_name(address_))) {}

  const std::string& name() const override { return name_; }
  std::optional<Found> find(std::size_t, TimePoint, std::string&) override { return Found{.address = address_}; }
  void found_wrong(std::size_t) noexcept override {}
  std::size_t first() const noexcept override { return 0; }
  std::size_t sources() const noexcept override { return 1; }
  bool moves() const noexcept override { return false; }

 private:
  const Address address_;
  const std::string name_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
