#pragma once
#include <gtest/gtest.h>

#include "net.hpp"

namespace dsta::cache::testing_support {

/// How `call` fails on the network; the test fails when it does not.
template <class Call>
NetError::Kind kind_of_failure(Call call) {
  try {
    call();
  } catch (const NetError& error) {
    return error.kind;
  }
  ADD_FAILURE() << "nothing failed";
  return NetError::Kind::other;
}

}  // namespace dsta::cache::testing_support
