// For tests and examples: background work runs at once, on the thread that asks for it.
#pragma once

#include <dsta/cache.hpp>

#include <functional>

// [inline_executor]
struct InlineExecutor final : dsta::cache::Executor {
  bool try_post(std::function<void()> task) override {
    task();
    return true;
  }
};
// [/inline_executor]
