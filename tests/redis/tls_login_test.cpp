// Passwords go to a peer that has proved who it is, and to nobody else: counted in bytes that an impostor could read.
#ifdef DSTA_CACHE_HAS_TLS

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <csignal>
#include <memory>
#include <string>
#include <thread>

#include "certificates.hpp"
#include "l2/client/link_options.hpp"
#include "net.hpp"
#include "scripted_server.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::Certificates;
using testing_support::Fd;
using testing_support::ReservedPort;
using testing_support::ScriptedServer;

/// Speaks TLS with a certificate to one client after another, keeps what they send, decrypted, and answers nothing.
class Impostor {
 public:
  Impostor(const std::string& certificate, const std::string& key)
      : wake_(::eventfd(0, EFD_CLOEXEC)),
        listener_(testing_support::listen_on(port_.port())),
        context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    SSL_CTX_use_certificate_chain_file(context_.get(), certificate.c_str());
    SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(), SSL_FILETYPE_PEM);
    thread_ = std::thread([this] {
      sigset_t pipe;  // OpenSSL writes in a way that raises it when the client has gone
      ::sigemptyset(&pipe);
      ::sigaddset(&pipe, SIGPIPE);
      ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
      while (ready(listener_.get())) serve(Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
    });
  }
  ~Impostor() {
    if (thread_.joinable()) stop();
  }
  Impostor(const Impostor&) = delete;
  Impostor& operator=(const Impostor&) = delete;

  std::uint16_t port() const { return port_.port(); }
  /// Ends it. What all clients sent.
  const std::string& stop() {
    ::eventfd_write(wake_.get(), 1);
    thread_.join();
    return heard_;
  }

 private:
  bool ready(int fd) {
    pollfd both[] = {{fd, POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    ::poll(both, 2, -1);
    return both[1].revents == 0;
  }
  void serve(Fd client) {
    const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), SSL_free);
    SSL_set_fd(ssl.get(), client.get());
    SSL_set_accept_state(ssl.get());
    char chunk[4096];
    // The client ends it: it refuses, or gives up waiting for an answer.
    while (ready(client.get())) {
      std::size_t got = 0;
      ERR_clear_error();
      if (SSL_read_ex(ssl.get(), chunk, sizeof chunk, &got) != 1) break;
      heard_.append(chunk, got);
    }
  }

  const ReservedPort port_;
  Fd wake_, listener_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::string heard_;
  std::thread thread_;
};

struct TlsLogin : ::testing::Test {
  static void SetUpTestSuite() { certificates = std::make_unique<Certificates>(); }
  static void TearDownTestSuite() { certificates.reset(); }
  void SetUp() override {
    if (!certificates->made()) GTEST_SKIP() << "there is no openssl tool to make certificates";
  }
  /// Asks by a new link that has a password.
  static Fault ask(std::uint16_t port, const std::string& authority, const std::string& server_name = "") {
    Endpoint endpoint{.transport = Endpoint::Transport::tls, .host = "127.0.0.1", .port = port};
    endpoint.user = "canary-user";
    endpoint.password = "canary-password";
    ManagerOptions options;
    options.tls.ca_file = certificates->certificate(authority);
    options.tls.server_name = server_name;
    options.pool.socket_timeout = options.pool.connect_timeout = 300ms;
    options.log.level = LogLevel::off;
    Link link(link_options(endpoint, options));
    return link.run(Request{"GET", "canary-key"}, Purpose::read).fault;
  }
  static inline std::unique_ptr<Certificates> certificates;
};

TEST_F(TlsLogin, IsHeardByAPeerThatIsWhoItShouldBe) {
  Impostor peer(certificates->certificate("server"), certificates->key("server"));
  EXPECT_EQ(ask(peer.port(), "ca"), Fault::no_connection) << "it answers nothing";
  EXPECT_NE(peer.stop().find("canary-password"), std::string::npos) << "so the tests below can tell";
}

TEST_F(TlsLogin, IsNotSentToAPeerOfAWrongAuthorityNameOrTime) {
  const struct {
    const char *certificate, *authority, *name;
  } cases[] = {{"server", "foreign", ""}, {"server", "ca", "other.test"},
               {"elsewhere", "ca", ""},   {"elsewhere", "ca", "cache.test"},
               {"expired", "ca", ""},     {"ca", "ca", ""},
               {"stranger", "ca", ""}};
  for (const auto& each : cases) {
    Impostor impostor(certificates->certificate(each.certificate), certificates->key(each.certificate));
    EXPECT_EQ(ask(impostor.port(), each.authority, each.name), Fault::no_connection) << each.certificate;
    EXPECT_EQ(impostor.stop(), "") << each.certificate << " " << each.authority << " " << each.name;
  }
}

TEST_F(TlsLogin, IsNotSentToAPortWithoutTls) {
  for (const std::string_view answer : {"", "-ERR unknown command\r\n", "+OK\r\n+PONG\r\n"}) {
    ScriptedServer plain([&](std::string_view) { return ScriptedServer::Reply{answer}; });
    EXPECT_EQ(ask(plain.port(), "ca"), Fault::no_connection);
    EXPECT_EQ(plain.received().find("canary"), std::string::npos);
    EXPECT_EQ(plain.received().find("AUTH"), std::string::npos);
    EXPECT_TRUE(plain.received().starts_with('\x16')) << "a TLS handshake and nothing else";
  }
}

}  // namespace
}  // namespace dsta::cache::detail

#endif
