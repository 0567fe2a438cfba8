#include "memory_url.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Unit = std::pair<std::string_view, double>;

/// A number with one of `units`. A bare number is refused unless a unit of "" is among them.
template <std::size_t N>
double quantity(std::string_view name, std::string_view text, const Unit (&units)[N]) {
  double number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(stop - text.data()));
  std::string known;
  for (const auto& [symbol, factor] : units) {
    if (error == std::errc{} && unit == symbol && number >= 0 && number * factor < 9e18) return number * factor;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", symbol.empty() ? "none" : symbol);
  }
  throw ConfigError(fmt::format("URL option {}='{}': expected a number with a unit ({})", name, text, known));
}

std::size_t bytes(std::string_view name, std::string_view text) {
  static constexpr Unit kUnits[] = {{"", 1}, {"B", 1}, {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}};
  return static_cast<std::size_t>(quantity(name, text, kUnits));
}

std::size_t count(std::string_view name, std::string_view text) {
  std::size_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && stop == text.data() + text.size()) return number;
  throw ConfigError(fmt::format("URL option {}='{}': expected a whole number", name, text));
}

Duration duration(std::string_view name, std::string_view text) {
  static constexpr Unit kUnits[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 6e10}, {"h", 3.6e12}};
  return Duration(static_cast<Duration::rep>(quantity(name, text, kUnits)));
}

void apply(ManagerOptions& options, std::string_view name, std::string_view value) {
  if (name == "max_bytes") {
    options.l1.max_bytes = bytes(name, value);
  } else if (name == "max_entries") {
    options.l1.max_entries = count(name, value);
  } else if (name == "default_ttl") {
    options.default_ttl = duration(name, value);
  } else if (name == "space") {
    options.space = value;
  } else {
    throw ConfigError(
        fmt::format("unknown URL option '{}': known are max_bytes, max_entries, default_ttl, space", name));
  }
}

}  // namespace

void apply_memory_url(ManagerOptions& options) {
  std::string_view url = options.url;
  if (url.empty()) return;
  const std::string_view scheme = url.substr(0, url.find(':'));
  if (scheme != "memory" || scheme.size() == url.size()) {
    // What stands in a scheme's place but is none may be a password: it is not repeated.
    constexpr std::string_view kSchemeBytes = "abcdefghijklmnopqrstuvwxyz0123456789+-.";
    if (!url.substr(scheme.size()).starts_with("://") || scheme.find_first_not_of(kSchemeBytes) != scheme.npos) {
      throw ConfigError("the URL has no scheme: this build has 'memory:'");
    }
    throw ConfigError(fmt::format("URL scheme '{}' is not known: this build has 'memory:'", scheme.substr(0, 32)));
  }
  url.remove_prefix(scheme.size() + 1);
  if (url.starts_with("//")) url.remove_prefix(2);
  if (!url.empty() && url[0] != '?') throw ConfigError("a memory: URL has no host or path, only ?options");
  if (url.find('@') != url.npos) throw ConfigError("a memory: URL has no user, host or '@', only ?options");
  while (!url.empty()) {
    url.remove_prefix(1);
    const std::string_view option = url.substr(0, url.find('&'));
    url.remove_prefix(option.size());
    if (option.empty()) continue;
    const std::size_t equals = option.find('=');
    if (equals == std::string_view::npos) throw ConfigError(fmt::format("URL option '{}' has no value", option));
    apply(options, option.substr(0, equals), option.substr(equals + 1));
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
