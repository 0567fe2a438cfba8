// URLs. Each byte 1 of the input stands for a piece of a password, wherever a mistake may have put it.
#include <string>
#include <string_view>

#include <dsta/cache/error.hpp>

#include "fuzz.hpp"
#include "l2/client/url.hpp"

namespace dsta::cache::fuzz {
namespace {

using detail::Endpoint;

/// Neither a scheme nor the name of an option, which may be repeated, looks like this.
constexpr std::string_view kSecret = "Zq7";

bool holds_secret(std::string_view text) { return text.find(kSecret) != text.npos; }

}  // namespace

FUZZ_TARGET(url) {
  std::string url;
  for (const char c : input) {
    if (c == '\1') {
      url += kSecret;
    } else {
      url += c;
    }
  }
  if (holds_secret(input)) return;  // then it may be part of the host as well
  const std::string shown = detail::redacted(url);
  try {
    const Endpoint endpoint = detail::parse_url(url);
    require(detail::parse_url(detail::format_url(endpoint)) == endpoint, "a URL is written as another than was read");
    bool in_place = holds_secret(endpoint.host) || holds_secret(endpoint.path) || holds_secret(endpoint.master);
    for (const auto& sentinel : endpoint.sentinels) in_place = in_place || holds_secret(sentinel.host);
    require(in_place || !holds_secret(shown), "the text for messages holds a piece of a password");
  } catch (const ConfigError& error) {
    require(!holds_secret(error.what()), "an error holds a piece of a password");
    require(error.what()[0] != '\0', "an error without words");
  }
}

}  // namespace dsta::cache::fuzz
