#include "base/thread.hpp"

#include <pthread.h>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

constinit std::atomic<bool (*)(const char* name)> thread_permission{nullptr};

void name_this_thread(const char* name) noexcept { ::pthread_setname_np(::pthread_self(), name); }

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
