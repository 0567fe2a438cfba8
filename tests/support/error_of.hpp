#pragma once
#include <string>

#include <dsta/cache/error.hpp>

namespace dsta::cache::testing_support {

/// The message of the exception of type E that `action` throws.
template <class E = ConfigError, class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace dsta::cache::testing_support
