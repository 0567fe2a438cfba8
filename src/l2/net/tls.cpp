#include "l2/net/tls.hpp"

#include <dsta/cache/error.hpp>

#ifdef DSTA_CACHE_HAS_TLS

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/fork_count.hpp"
#include "base/mutex.hpp"
#include "l2/net/file_stamps.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

std::string openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "the peer ended the connection";
  const char* reason = ERR_reason_error_string(code);
  return reason ? reason : "an OpenSSL error without a name";
}

/// OpenSSL's own socket BIO writes in a way that kills the process when the peer is gone (SIGPIPE).
int bio_write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  const auto fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  const ssize_t sent = ::send(fd, from, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* into, int room) {
  BIO_clear_retry_flags(bio);
  const auto fd = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
  const ssize_t got = ::recv(fd, into, static_cast<std::size_t>(room), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* socket_method() {
  static BIO_METHOD* method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "dsta::cache socket");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Ssl = std::unique_ptr<SSL, FreeSsl>;

/// Reading and writing at once is two threads in one SSL object, which it does not allow; neither blocks, so a mutex is
/// held for microseconds.
class TlsStream final : public Stream {
 public:
  TlsStream(Descriptor socket, Ssl ssl) : socket_(std::move(socket)), ssl_(std::move(ssl)) {}

  Step read(char* into, std::size_t room) override {
    const MutexLock lock(mutex_);
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(ssl_.get(), into, room, &got);
    return step(result, got);
  }
  Step write(const char* from, std::size_t size) override {
    const MutexLock lock(mutex_);
    ERR_clear_error();
    std::size_t sent = 0;
    const int result = SSL_write_ex(ssl_.get(), from, size, &sent);
    return step(result, sent);
  }
  void shut() noexcept override { ::shutdown(socket_.get(), SHUT_RDWR); }
  void forget() noexcept override { socket_ = Descriptor(); }
  int descriptor() const override { return socket_.get(); }

 private:
  Step step(int result, std::size_t bytes) const DSTA_REQUIRES(mutex_) {
    if (result > 0) return {Step::Kind::moved, bytes};
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return {Step::Kind::wait_read, 0};
      case SSL_ERROR_WANT_WRITE:
        return {Step::Kind::wait_write, 0};
      case SSL_ERROR_ZERO_RETURN:
        return {Step::Kind::closed, 0};
      default:
        return {Step::Kind::failed, 0};
    }
  }

  Descriptor socket_;
  Mutex mutex_;
  Ssl ssl_ DSTA_GUARDED_BY(mutex_);
};

}  // namespace

struct TlsClient::Context {
  /// Throws ConfigError when a file cannot be used.
  explicit Context(const TlsOptions& options);
  ~Context() { SSL_CTX_free(ssl); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  SSL_CTX* const ssl = SSL_CTX_new(TLS_client_method());

 private:
  void load(const TlsOptions& options);
};

TlsClient::Context::Context(const TlsOptions& options) {
  if (!ssl) throw ConfigError("TLS: OpenSSL could not be set up: " + openssl_error());
  try {
    load(options);
  } catch (...) {
    SSL_CTX_free(ssl);
    throw;
  }
}

void TlsClient::Context::load(const TlsOptions& options) {
  SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
  SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(ssl, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  const auto require = [](bool worked, const char* option, const std::string& file) {
    if (!worked) {
      throw ConfigError(
          fmt::format("TLS: {} '{}' cannot be used ({}): give a readable PEM file", option, file, openssl_error()));
    }
  };
  if (!options.ca_file.empty()) {
    require(SSL_CTX_load_verify_locations(ssl, options.ca_file.c_str(), nullptr) == 1, "ca_file", options.ca_file);
  } else {
    SSL_CTX_set_default_verify_paths(ssl);
  }
  if (options.cert_file.empty() != options.key_file.empty()) {
    throw ConfigError("TLS: cert_file and key_file belong together: give both or neither");
  }
  if (!options.cert_file.empty()) {
    require(SSL_CTX_use_certificate_chain_file(ssl, options.cert_file.c_str()) == 1, "cert_file", options.cert_file);
    require(SSL_CTX_use_PrivateKey_file(ssl, options.key_file.c_str(), SSL_FILETYPE_PEM) == 1, "key_file",
            options.key_file);
    require(SSL_CTX_check_private_key(ssl) == 1, "key_file", options.key_file);
  }
}

/// What is loaded. A child of a fork gets one of its own: the mutex may be locked by a thread that it does not have.
struct TlsClient::Loaded {
  explicit Loaded(const TlsOptions& options)
      : forks(fork_count()), files(options), context(std::make_shared<const Context>(options)) {}

  const std::uint32_t forks;
  Mutex mutex;
  FileStamps files DSTA_GUARDED_BY(mutex);  ///< as they were before they were read last, with or without success
  std::shared_ptr<const Context> context DSTA_GUARDED_BY(mutex);
};

TlsClient::TlsClient(const TlsOptions& options, Log log)
    : options_(options), log_(std::move(log)), loaded_(new Loaded(options_)) {}

TlsClient::~TlsClient() {
  Loaded* const own = loaded_.load();
  if (own->forks == fork_count()) delete own;
}

TlsClient::Loaded& TlsClient::loaded() {
  Loaded* own = loaded_.load(std::memory_order_acquire);
  if (own->forks == fork_count()) [[likely]]
    return *own;
  auto fresh = std::make_unique<Loaded>(options_);
  if (loaded_.compare_exchange_strong(own, fresh.get())) return *fresh.release();
  return *own;
}

std::shared_ptr<const TlsClient::Context> TlsClient::context() {
  Loaded& own = loaded();
  const FileStamps now(options_);
  {
    const MutexLock lock(own.mutex);
    if (own.files == now) return own.context;
    own.files = now;  // if it fails: once more when they change again
  }
  std::shared_ptr<const Context> made;
  std::string why;
  try {
    made = std::make_shared<const Context>(options_);
  } catch (const ConfigError& error) {
    why = error.what();
  }
  std::shared_ptr<const Context> used;
  {
    const MutexLock lock(own.mutex);
    if (made) own.context = std::move(made);
    used = own.context;
  }
  if (why.empty()) {
    log_.write(LogLevel::info, "TLS: the certificates were read again");
  } else {
    log_.write(LogLevel::warning, why + "; what was read before is used until the files change again");
  }
  return used;
}

std::unique_ptr<Stream> TlsClient::connect(const Address& address, TimePoint deadline, std::string& error) {
  std::shared_ptr<const Context> context;
  try {
    context = this->context();
  } catch (const ConfigError& refused) {  // the child of a fork, which has nothing from before
    error = refused.what();
    return nullptr;
  }
  Descriptor socket = connect_socket(address, deadline, error);
  if (!socket) return nullptr;
  Ssl ssl(SSL_new(context->ssl));
  BIO* const bio = ssl ? BIO_new(socket_method()) : nullptr;
  if (!bio) {
    error = "TLS: out of memory";
    return nullptr;
  }
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket.get())));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);
  const std::string& name = options_.server_name.empty() ? address.host : options_.server_name;
  X509_VERIFY_PARAM* const checks = SSL_get0_param(ssl.get());
  if (X509_VERIFY_PARAM_set1_ip_asc(checks, name.c_str()) != 1) {  // a name, then, not an address
    ERR_clear_error();
    SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl.get(), name.c_str()) != 1 || SSL_set_tlsext_host_name(ssl.get(), name.c_str()) != 1) {
      error = "TLS: the server's name cannot be used";
      return nullptr;
    }
  }
  for (;;) {
    ERR_clear_error();
    const int done = SSL_connect(ssl.get());
    if (done == 1) break;
    const int wanted = SSL_get_error(ssl.get(), done);
    if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE) {
      const long verified = SSL_get_verify_result(ssl.get());
      error = fmt::format("TLS: {}", verified != X509_V_OK ? X509_verify_cert_error_string(verified) : openssl_error());
      return nullptr;
    }
    if (!wait_ready(socket.get(), wanted == SSL_ERROR_WANT_WRITE, deadline) ||
        std::chrono::steady_clock::now() >= deadline) {
      error = "TLS: the handshake did not end in time";
      return nullptr;
    }
  }
  return std::make_unique<TlsStream>(std::move(socket), std::move(ssl));
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache

#else

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct TlsClient::Context {};
struct TlsClient::Loaded {};

TlsClient::TlsClient(const TlsOptions&, Log) {
  throw ConfigError("this build has no TLS: install OpenSSL (libssl-dev) and build with DSTA_CACHE_WITH_TLS=ON");
}
TlsClient::~TlsClient() = default;

std::unique_ptr<Stream> TlsClient::connect(const Address&, TimePoint, std::string&) { return nullptr; }

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache

#endif
