#include <dsta/cache/time_span.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <ostream>
#include <string>
#include <string_view>

namespace dsta::cache {
inline namespace v1 {

namespace {

/// `count` of the unit, with up to three decimals that are cut off: what is left is never said to be more.
std::string in_unit(std::uint64_t nanoseconds, std::uint64_t unit, std::string_view name) {
  std::string text = fmt::format("{}.{:03}", nanoseconds / unit, nanoseconds % unit * 1000 / unit);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text.append(name);
}

}  // namespace

double TimeSpan::seconds() const {
  if (*this == forever) return std::numeric_limits<double>::infinity();
  return std::chrono::duration<double>(*this).count();
}

std::string TimeSpan::text() const {
  if (*this == forever) return "forever";
  if (count() < 0) {
    const auto magnitude = std::uint64_t{0} - static_cast<std::uint64_t>(count());
    return magnitude > static_cast<std::uint64_t>(max().count()) ? "-forever"
                                                                 : "-" + TimeSpan(Duration(-count())).text();
  }
  const auto ns = static_cast<std::uint64_t>(count());
  if (ns >= 1'000'000'000 || ns == 0) return in_unit(ns, 1'000'000'000, "s");
  if (ns >= 1'000'000) return in_unit(ns, 1'000'000, "ms");
  if (ns >= 1000) return in_unit(ns, 1000, "us");
  return in_unit(ns, 1, "ns");
}

std::ostream& operator<<(std::ostream& out, const TimeSpan& span) { return out << span.text(); }

}  // namespace v1
}  // namespace dsta::cache
