#pragma once
#include <atomic>
#include <chrono>
#include <future>

#include "eventually.hpp"

namespace dsta::cache::testing_support {

/// What loaders read: a number that changes. The first reader after `stop_next` stops when it has read, and brings an
/// old value when it goes on. Thread-safe.
class GatedSource {
 public:
  ~GatedSource() { go_on(); }

  int read() {
    const int seen = value;
    ++reads;
    if (stops_.exchange(false)) {
      stopped_ = true;
      passed_.wait_for(std::chrono::seconds(20));  // a test that has failed ends, too
    }
    return seen;
  }
  void stop_next() { stops_ = true; }
  bool has_stopped_one() const {
    return eventually([this] { return stopped_.load(); });
  }
  void go_on() {
    if (!open_.exchange(true)) gate_.set_value();
  }

  std::atomic<int> value{1}, reads{0};

 private:
  std::promise<void> gate_;
  const std::shared_future<void> passed_ = gate_.get_future().share();
  std::atomic<bool> stops_{false}, stopped_{false}, open_{false};
};

}  // namespace dsta::cache::testing_support
