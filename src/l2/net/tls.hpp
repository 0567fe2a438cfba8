#pragma once
#include <memory>
#include <string>

#include <dsta/cache/options.hpp>

#include "l2/net/stream.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// How to encrypt, and whom to trust: certificates and keys, loaded once for all connections. Thread-safe.
class TlsClient {
 public:
  /// Throws ConfigError when a file cannot be used, or the library was built without OpenSSL.
  explicit TlsClient(const TlsOptions& options);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  /// A stream whose peer has shown by `deadline` that it is who it should be; null and the reason otherwise. Nothing is
  /// sent to a peer that has not.
  std::unique_ptr<Stream> connect(const Address& address, TimePoint deadline, std::string& error) const;

 private:
  struct Context;
  const TlsOptions options_;
  std::unique_ptr<Context> context_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
