#pragma once
#include <dirent.h>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread.hpp"

namespace dsta::cache::testing_support {

/// While it lives the library gets no thread, as when the process's limit is reached.
class ThreadShortage {
 public:
  ThreadShortage() {
    detail::thread_permission = [](const char*) { return false; };
  }
  ~ThreadShortage() { detail::thread_permission = nullptr; }
  ThreadShortage(const ThreadShortage&) = delete;
  ThreadShortage& operator=(const ThreadShortage&) = delete;
};

/// The names of this process's threads that the library started and that begin with `head`, but for the clock's, which
/// is the process's.
inline std::vector<std::string> library_threads(std::string_view head = "dsta-") {
  std::vector<std::string> names;
  DIR* const tasks = ::opendir("/proc/self/task");
  while (const dirent* const task = ::readdir(tasks)) {
    std::ifstream file(std::string("/proc/self/task/") + task->d_name + "/comm");
    std::string name;
    if (std::getline(file, name) && name.starts_with(head) && name != "dsta-tick") names.push_back(name);
  }
  ::closedir(tasks);
  return names;
}

}  // namespace dsta::cache::testing_support
