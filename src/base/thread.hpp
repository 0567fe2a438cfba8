#pragma once
#include <atomic>
#include <exception>
#include <thread>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// For tests: asked before each thread is started, and false means that there is none to be had. Null: never asked.
extern constinit std::atomic<bool (*)(const char* name)> thread_permission;

/// Gives the calling thread a name for ps and debuggers, of at most 15 bytes.
void name_this_thread(const char* name) noexcept;

/// Starts a thread. Every thread of the library is started here. Not joinable when there is none to be had (the limits
/// of the process or of its group, no memory): whoever needs it goes on without, and tries again when it is needed the
/// next time. `name` is a literal.
template <class Run>
std::thread start_thread(const char* name, Run run) noexcept {
  const auto permission = thread_permission.load(std::memory_order_acquire);
  if (permission && !permission(name)) return {};
  try {
    return std::thread([name, body = std::move(run)]() mutable {
      name_this_thread(name);
      body();
    });
  } catch (const std::exception&) {
    return {};
  }
}

/// The same for a thread that nobody joins. False: there is none.
template <class Run>
bool start_detached_thread(const char* name, Run run) noexcept {
  std::thread started = start_thread(name, std::move(run));
  if (!started.joinable()) return false;
  started.detach();
  return true;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
