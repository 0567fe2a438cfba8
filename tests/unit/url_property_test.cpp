// Of any text at all: a URL is read or refused, reading undoes writing, and a refusal never holds the secret.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include <dsta/cache/manager.hpp>

#include "base/percent.hpp"
#include "engine/manager_options.hpp"
#include "l2/client/url.hpp"

#include "l2/client/link_options.hpp"

namespace dsta::cache {
namespace {

using detail::Endpoint;
using detail::parse_url;

class RandomValues {
 public:
  explicit RandomValues(std::uint64_t seed) : engine_(seed) {}

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }

  /// Up to `longest` characters of `alphabet`; of all bytes when that is empty.
  std::string text(std::size_t longest, std::string_view alphabet = {}) {
    std::string text(below(longest + 1), ' ');
    for (char& c : text) c = alphabet.empty() ? static_cast<char>(below(256)) : alphabet[below(alphabet.size())];
    return text;
  }

  template <class T, std::size_t N>
  T one_of(const T (&choices)[N]) {
    return choices[below(N)];
  }

 private:
  std::mt19937_64 engine_;
};

/// What the parser looks for, so that random text gets past its first steps.
constexpr std::string_view kPieces[] = {"redis://", "rediss://", "valkeys:", "unix://", "memory:", "redis-sentinel://",
                                        "://",      "//",        "/",        "@",       ":",       "?",
                                        "&",        "=",         "#",        "%",       "%4",      "%41",
                                        "[",        "]",         "::",       "::1",     "host",    "6379",
                                        "0",        "-1",        "db=1",     "space=x", "l1=",     "1s",
                                        "verify=",  "db",        "serve",    "bypass",  "1min",    "on_disconnect="};

/// The words of the refusal; empty when it was read. Anything but a ConfigError fails the test by itself.
std::string words_of_refusal(std::string_view url) {
  try {
    parse_url(url);
    return "";
  } catch (const ConfigError& error) {
    EXPECT_STRNE(error.what(), "");
    return error.what();
  }
}

TEST(UrlProperty, AnyBytesAreReadOrRefused) {
  RandomValues random(1);
  for (int i = 0; i < 20'000; ++i) {
    const std::string url = random.text(60);
    words_of_refusal(url);
    words_of_refusal("redis://" + url);
    EXPECT_NE(detail::redacted(url), "");
  }
}

TEST(UrlProperty, AnyOrderOfPiecesIsReadOrRefused) {
  RandomValues random(2);
  int read = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string url(random.one_of({"redis://", "rediss://", "unix:///", "memory:?", ""}));
    for (std::size_t left = random.below(10); left > 0; --left) url += random.one_of(kPieces);
    if (!words_of_refusal(url).empty()) continue;
    ++read;
    const Endpoint endpoint = parse_url(url);
    EXPECT_TRUE(parse_url(detail::format_url(endpoint)) == endpoint) << url;
  }
  EXPECT_GT(read, 1000) << "the pieces should make a URL now and then";
}

TEST(UrlProperty, ReadingUndoesWriting) {
  constexpr std::string_view kHost = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-._";
  RandomValues random(3);
  for (int i = 0; i < 20'000; ++i) {
    Endpoint endpoint;
    endpoint.transport = random.one_of({Endpoint::Transport::memory, Endpoint::Transport::tcp, Endpoint::Transport::tls,
                                        Endpoint::Transport::unix_socket});
    if (endpoint.transport != Endpoint::Transport::memory) {
      endpoint.user = random.text(8);
      endpoint.password = random.text(20);
      endpoint.database = static_cast<int>(random.below(1U << 31));
      if (endpoint.transport == Endpoint::Transport::unix_socket) {
        endpoint.path = "/" + random.text(100) + "x";
        for (char& c : endpoint.path) c = c == '\0' ? '0' : c;
      } else {
        endpoint.host = random.one_of({std::string("::1"), std::string("fe80::1%eth0"), "h" + random.text(60, kHost)});
        endpoint.port = static_cast<std::uint16_t>(1 + random.below(65535));
      }
    }
    const std::string url = detail::format_url(endpoint);
    EXPECT_TRUE(parse_url(url) == endpoint) << url;
  }
}

/// Around a secret, which stands for "$": in each place where users put one.
constexpr std::string_view kHolders[] = {
    "redis://user:$@host:6379/0",
    "redis://:$@host",
    "redis://$@host",
    "redis://user?$=1@host",
    "redis:$@host",
    "$://password@host",
    "rediss://$:password@host:6380/1?socket_timeout=1s&verify=true",
    "rediss://user:a$b@[::1]:6380?ca_file=/ca.pem",
    "valkey://user:$@host/2?max_connections=5&space=app",
    "unix://:$@/run/redis.sock?db=1",
    "redis-sentinel://user:$@h1,h2:26379/master",
    "redis://user:$@host?cluster=true",
    "redis://user:$@host?on_disconnect=serve&max_stale_age=2s&ping_period=100ms",
    "redis://host?on_disconnect=$@",
    "memory://user:$@host?max_bytes=1MiB",
    "redis://user:p%40$@host?max_bytes=1MiB",
};

/// Inserts, removes or replaces a few bytes, anywhere but in the "$".
std::string mutated(RandomValues& random, std::string url, std::string_view inserted) {
  for (std::size_t left = random.below(6); left > 0; --left) {
    const std::size_t place = random.below(url.size() + 1);
    switch (random.below(3)) {
      case 0:
        url.insert(place, random.one_of(kPieces));
        break;
      case 1:
        url.insert(place, 1, inserted[random.below(inserted.size())]);
        break;
      default:
        if (place < url.size() && url[place] != '$') url.erase(place, 1);
    }
  }
  return url;
}

std::string with_secret(std::string url, std::string_view secret) {
  const std::size_t place = url.find('$');
  return url.replace(place, 1, secret);
}

/// Every error on the way from a URL to a manager, short of connecting.
std::array<std::string, 2> all_words(const std::string& url) {
  std::string of_manager;
  try {
    ManagerOptions options;
    options.url = url;
    options = detail::checked(std::move(options));
    const detail::Endpoint endpoint = detail::apply_url(options);
    // The system's authorities take a hundred times as long to load as all the rest.
    if (options.tls.ca_file.empty()) options.tls.ca_file = "/dev/null";
    if (endpoint.transport != detail::Endpoint::Transport::memory) detail::link_options(endpoint, options);
  } catch (const ConfigError& error) {
    of_manager = error.what();
  }
  return {words_of_refusal(url), of_manager};
}

constexpr std::string_view kBytes = ":/?#@%&=[]!abcxyzABC0123456789-_.,+ \t\n\x01\x7F\xFF";

// Also where the changes make a host, a path, an option or a scheme of the secret.
TEST(UrlProperty, NoErrorHoldsTheSecretHoweverTheUrlIsBroken) {
  RandomValues random(4);
  for (int i = 0; i < 60'000; ++i) {
    const std::string_view secret = random.one_of({std::string_view("hunter2"), std::string_view("Zyzzyva"),
                                                   std::string_view("70731988"), std::string_view("s3:c%72/t?x=y")});
    const std::string url = with_secret(mutated(random, std::string(random.one_of(kHolders)), kBytes), secret);
    const std::string plain = detail::percent_decoded(secret).value_or("");
    for (const std::string& words : all_words(url)) {
      ASSERT_EQ(words.find(secret), std::string::npos) << url << "\n" << words;
      ASSERT_EQ(words.find(plain), std::string::npos) << url << "\n" << words;
    }
  }
}

// A secret that looks like the name of an option or a scheme, in a URL whose last '@' stands behind it.
TEST(UrlProperty, NoErrorHoldsASecretThatLooksLikeAName) {
  RandomValues random(5);
  int tried = 0;
  for (int i = 0; i < 60'000; ++i) {
    const std::string holder = mutated(random, std::string(random.one_of(kHolders)), kBytes);
    if (holder.find('@', holder.find('$')) == holder.npos) continue;
    const std::string url = with_secret(holder, "zyzzyva");
    ++tried;
    for (const std::string& words : all_words(url)) {
      ASSERT_EQ(words.find("zyzzyva"), std::string::npos) << url << "\n" << words;
    }
  }
  EXPECT_GT(tried, 30'000);
}

TEST(UrlProperty, RedactedHoldsTheSecretOnlyWhereItIsAHostOrAPath) {
  RandomValues random(6);
  int readable = 0;
  for (int i = 0; i < 60'000; ++i) {
    const std::string url = with_secret(mutated(random, std::string(random.one_of(kHolders)), kBytes), "hunter2");
    const std::string shown = detail::redacted(url);
    if (shown.find("***@") != shown.npos) ++readable;
    if (shown.find("hunter2") == shown.npos) continue;
    const Endpoint endpoint = parse_url(url.substr(0, url.find('?')));
    ASSERT_NE((endpoint.host + endpoint.path).find("hunter2"), std::string::npos) << url << "\n" << shown;
  }
  EXPECT_GT(readable, 1000);
}

}  // namespace
}  // namespace dsta::cache
