#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "l2/client/echo_check.hpp"
#include "l2/client/link.hpp"
#include "l2/topology/cluster.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The server that is L2, or the cluster: what a Link offers, for either. Thread-safe.
class Servers {
 public:
  /// `cluster`: how its link differs is for it to say; `link` is then used for what concerns no single server.
  Servers(const LinkOptions& link, std::optional<Cluster::Options> cluster) : link_(LinkOptions(link)) {
    if (cluster) cluster_ = std::make_unique<Cluster>(std::move(*cluster));
  }

  /// Null: a single server.
  Cluster* cluster() const { return cluster_.get(); }
  /// To a single server. In a cluster it leads nowhere.
  Link& single() { return link_; }

  Answer run(const Request& request, Purpose purpose, Lane lane = Lane::shared) {
    if (!cluster_) [[likely]]
      return link_.run(request, purpose, lane);
    return cluster_->run(request, purpose, lane);
  }
  /// All servers of which each has a part of the keys. A single one is null: run() is meant.
  std::vector<std::shared_ptr<Link>> parts();

  void close_idle();
  void close() noexcept;
  void close_as_corrupt(std::string_view why);
  /// At the home master: see Cluster.
  Link::Probed probe(const Request& request);
  EchoWay& echo_way();
  /// False while requests are refused at once. In a cluster: by all masters.
  bool up();
  /// In a cluster: of all masters that are up.
  bool takes_writes();
  LinkCounters counters();
  const LinkOptions& options() const { return link_.options(); }
  /// The first connection to the server, or to the home master; null where there is none.
  std::shared_ptr<Connection> current();
  /// For messages: where the server is, or the masters and what is wrong with them.
  std::string text();
  /// Of a cluster: what is wrong with it; or nothing.
  std::string trouble();

 private:
  std::vector<std::shared_ptr<Link>> all();

  Link link_;
  std::unique_ptr<Cluster> cluster_;
  EchoWay of_cluster_;  ///< each link has its own
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
