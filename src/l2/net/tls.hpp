#pragma once
#include <atomic>
#include <memory>
#include <string>

#include <dsta/cache/options.hpp>

#include "l2/net/stream.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// How to encrypt, and whom to trust: certificates and keys, loaded for all connections, and again before a connection
/// is made when a file has changed. Where what is there now cannot be used, as while only one of two files was
/// replaced, what was loaded before is. Thread-safe.
class TlsClient {
 public:
  /// Throws ConfigError when a file cannot be used, or the library was built without OpenSSL.
  explicit TlsClient(const TlsOptions& options, Log log = {});
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  /// A stream whose peer has shown by `deadline` that it is who it should be; null and the reason otherwise. Nothing is
  /// sent to a peer that has not.
  std::unique_ptr<Stream> connect(const Address& address, TimePoint deadline, std::string& error);

 private:
  struct Context;
  struct Loaded;
  std::shared_ptr<const Context> context();
  Loaded& loaded();

  const TlsOptions options_;
  const Log log_;
  std::atomic<Loaded*> loaded_{nullptr};  ///< owned
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
