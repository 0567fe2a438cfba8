#pragma once
#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace dsta::cache::testing_support {

/// A program that runs until it is stopped, and never longer than the test. Thread-safe.
///
/// A thread of its own starts it and waits for its end. The kernel's promise to kill a child with its parent means the
/// thread that forked: one that ended earlier would take the child with it.
class ChildProcess {
 public:
  /// Runs `program` with `arguments` (the first is its name) and both outputs in the file `log`. The child inherits no
  /// descriptor and no blocked signal of the test.
  ChildProcess(std::string program, std::vector<std::string> arguments, std::string log);
  ~ChildProcess();

  bool running() const;
  pid_t pid() const;
  /// Sends a signal, unless the child is gone: its number may be another process by then.
  void signal(int number);
  /// Returns when the child is stopped, so that nothing is answered after it.
  void pause();
  void resume();
  /// False when it still runs after `patience`.
  bool wait_for_end(std::chrono::milliseconds patience);

 private:
  void keep(const std::string& program, const std::vector<std::string>& arguments, const std::string& log);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Under mutex_.
  bool started_ = false;
  pid_t pid_ = -1;
  std::thread keeper_;
};

}  // namespace dsta::cache::testing_support
