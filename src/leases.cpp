#include "leases.hpp"

#include <random>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

LeaseToken new_lease_token() {
  // A process of its own after each fork, too: the parent's numbers must not come twice.
  std::random_device random;
  LeaseToken token;
  for (std::size_t i = 0; i < token.size(); i += 4) {
    const std::uint32_t bits = random();
    for (std::size_t j = 0; j < 4; ++j) token[i + j] = static_cast<char>(bits >> 8 * j);
  }
  return token;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
