#pragma once
#include <cstddef>
#include <thread>
#include <vector>

namespace dsta::cache::testing_support {

/// Runs `body(i)` on `count` threads and waits for all.
template <class Body>
void on_threads(std::size_t count, Body body) {
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&body, i] { body(i); });
}

}  // namespace dsta::cache::testing_support
