#pragma once
#include <string>

#include <dsta/cache/error.hpp>

namespace dsta::cache::testing_support {

/// The words of the ConfigError that `action` throws.
template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace dsta::cache::testing_support
