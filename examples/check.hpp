// For the examples: a claim is printed, and ends the program with status 1 when it does not hold.
#pragma once

#include <cstdio>
#include <cstdlib>

inline void check(bool holds, const char* claim) {
  std::printf("%s  %s\n", holds ? "ok " : "NOT", claim);
  if (!holds) std::exit(1);
}
