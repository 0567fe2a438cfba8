#pragma once
#include "l2/client/link.hpp"
#include "l2/client/url.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// How to reach `endpoint` as the options say. Throws ConfigError when a certificate or key cannot be used.
LinkOptions link_options(const Endpoint& endpoint, const ManagerOptions& options);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
