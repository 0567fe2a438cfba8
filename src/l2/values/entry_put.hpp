#pragma once
#include <string>
#include <string_view>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// An entry to be stored. `life`: physical, zero for ever.
struct EntryPut {
  std::string_view name;
  std::string bytes;
  Duration life{};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
