#pragma once
#include <string>

#include <dsta/cache/codec.hpp>

namespace dsta::cache::testing_support {

/// What the codec makes of a value.
template <class T>
std::string encoded(const T& value) {
  std::string bytes;
  codec<T>::encode(value, bytes);
  return bytes;
}

}  // namespace dsta::cache::testing_support
