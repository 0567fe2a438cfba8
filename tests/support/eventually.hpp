#pragma once
#include <chrono>
#include <thread>

namespace dsta::cache::testing_support {

/// Asks until `holds()` or the patience is over, for what happens by itself and in real time: another process, a
/// server's clock. True when it holds.
template <class Condition>
bool eventually(Condition holds, std::chrono::milliseconds patience = std::chrono::seconds(10)) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace dsta::cache::testing_support
