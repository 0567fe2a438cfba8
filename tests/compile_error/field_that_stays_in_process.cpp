// expect: a field of this type has no binary codec
// lines: 50
#include <dsta/cache.hpp>

struct Handle {
  int number = 0;
};
template <>
inline constexpr bool dsta::cache::in_process_only<Handle> = true;
template <>
inline constexpr auto dsta::cache::fields<Handle> = dsta::cache::members<&Handle::number>;

struct Session {
  Handle handle;
};
template <>
inline constexpr auto dsta::cache::fields<Session> = dsta::cache::members<&Session::handle>;
#ifdef DSTA_CONTROL
template <>
inline constexpr bool dsta::cache::in_process_only<Session> = true;
#endif

bool set(dsta::cache::CacheManager& cache, const Session& session) {
  return cache.set("session", session) == dsta::cache::SetResult::stored;
}
