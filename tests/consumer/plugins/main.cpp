// Two plug-ins that hide their symbols share one cache: each finds what the other stored, and neither is given what is
// only called alike.
#include <dlfcn.h>

#include <cstdio>

#include "plugin.hpp"

namespace {

int failures = 0;
void check(bool holds, const char* what) {
  if (holds) return;
  std::printf("does not hold: %s\n", what);
  ++failures;
}

const Plugin* load(const char* file) {
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  const void* found = library ? dlsym(library, "plugin") : nullptr;
  if (!found) std::printf("%s\n", dlerror());
  return static_cast<const Plugin*>(found);
}

}  // namespace

int main() {
  const Plugin* first = load(FIRST);
  const Plugin* second = load(SECOND);
  if (!first || !second) return 2;
  dsta::cache::CacheManager cache;

  first->store(cache);
  const char* missing = second->missing(cache);
  if (missing) std::printf("not found in the second plug-in: %s\n", missing);
  check(!missing, "what one plug-in stored is found in the other");
  check(cache.get<int>("int") == 42 && cache.get<Quote>("quote"), "and in the program");
  second->store(cache);
  check(!first->missing(cache), "and the other way round");

  check(first->price(cache) == 3 && second->price(cache) == 3, "an inline function is wrapped by both");
  check(cache.get_stats().loads == 1, "and is one: the second plug-in finds what the first loaded");

  check(first->wrap_own(cache) && first->wrap_own(cache), "a static function is wrapped");
  check(!second->wrap_own(cache), "another one of that name is refused");
  first->store_own(cache);
  check(first->finds_own(cache), "a type of an anonymous namespace is found where it was stored");
  check(!second->finds_own(cache), "one of that name elsewhere is another type");

  check(first->global() == second->global() && first->global() == &dsta::cache::cache_manager(),
        "cache_manager() is one for the program");
  check(first->thread_record() == second->thread_record() &&
            first->thread_record() == &dsta::cache::detail::thread_record(),
        "a thread has one record");
  return failures == 0 ? 0 : 1;
}
