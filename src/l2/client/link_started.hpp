#pragma once
#include <memory>
#include <optional>

#include "l2/client/echo_check.hpp"
#include "l2/client/link_state.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// As Link::run, in three steps. One thread. The request and the link must outlive it.
class Link::Started {
 public:
  /// Finds a connection, for which it may wait.
  Started(Link& link, const Request& request, Purpose purpose, Lane lane);
  ~Started();
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;

  /// Waits for nothing but room to do so.
  void send();
  /// False: its answer is not there yet; only before its deadline, which is the operation's.
  bool wait(TimePoint until);
  /// When wait() has returned true; once. May send it a second time, as run() does.
  Answer answer();
  TimePoint deadline() const { return deadline_; }

 private:
  Link& link_;
  const Request& request_;
  const Purpose purpose_;
  const Lane lane_;
  const TimePoint deadline_;
  Answer answer_;
  State& state_;
  State::Checkout checkout_;
  std::optional<EchoCheck> check_;
  std::optional<PendingRequest> pending_;
  bool ended_ = false;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
