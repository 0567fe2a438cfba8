// expect: std::chrono duration
#include <dsta/cache/global.hpp>

using namespace std::chrono_literals;
using dsta::cache::cached;

int twice(int x);

#ifdef DSTA_CONTROL
auto f = cached(300s, "api")(twice);
#else
auto f = cached(300, "api")(twice);
#endif
