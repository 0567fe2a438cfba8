#pragma once
#include <memory>

#include "l2/client/link.hpp"

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

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
