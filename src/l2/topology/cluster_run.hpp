#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "l2/topology/cluster_state.hpp"
#include "l2/topology/split_request.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// One request to a cluster, on its way. One thread.
class Cluster::Run {
 public:
  Run(State& state, const Request& request, Purpose purpose, Lane lane, TimePoint deadline)
      : state_(state), request_(request), purpose_(purpose), lane_(lane), deadline_(deadline), split_(request) {}

  Answer go();

 private:
  /// A piece that is still to be sent.
  struct Open {
    std::size_t piece;
    std::shared_ptr<Link> asked = nullptr;  ///< by an ASK: the node that has its key
  };
  /// What one master gets at once.
  struct Send {
    std::shared_ptr<Link> link;
    std::vector<Open> pieces;
    bool writes = false;
    Request request = {};
    Answer answer = {};
  };

  void sort(const SlotMap& map, std::vector<Send>& sends);
  void write(Send& send) const;
  bool is_all_of_it(const std::vector<Send>& sends) const;
  void send_all(std::vector<Send>& sends, bool whole);
  void take(Send& send);
  void take_replies(Send& send);
  void look(Send& send, std::vector<Open>& again);
  void learn_moved();
  void miss(const std::vector<Open>& pieces, Reply::Missing how, std::string_view why);
  Answer failed(std::string_view why) const;
  Answer joined();

  State& state_;
  const Request& request_;
  const Purpose purpose_;
  const Lane lane_;
  const TimePoint deadline_;
  SplitRequest split_;
  std::vector<Open> open_;
  std::optional<std::size_t> publish_;
  Answer result_;                          ///< its fault, where there was one
  std::vector<MovedSlot> moved_, learnt_;  ///< what nodes said in this round, and before
  bool answered_ = false;                  ///< some master has answered
  bool waits_ = false;                     ///< a slot is on its way: there is nothing to be won by asking at once
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
