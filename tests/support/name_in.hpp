#pragma once
#include <cstddef>
#include <string>

namespace dsta::cache::testing_support {

/// The name of an enumerator, in the list of names of its enumeration.
template <class Names, class One>
std::string name_in(const Names& names, One one) {
  return names[static_cast<std::size_t>(one)];
}

}  // namespace dsta::cache::testing_support
