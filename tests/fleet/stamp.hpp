#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

namespace dsta::cache::fleet_model {

/// What a value says of itself: of which cell it is, which version of its source, by whom and when it was made. It
/// fits into 64 bits with a check, so that every type of value can carry it whole.
struct Stamp {
  enum Origin : std::uint64_t { loaded, written };

  std::uint64_t cell = 0;     ///< 8 bits
  std::uint64_t version = 0;  ///< 24 bits
  Origin origin = loaded;     ///< 1 bit
  std::uint64_t made_at = 0;  ///< 23 bits: ms of the run

  std::uint64_t packed() const {
    const std::uint64_t body = cell << 48 | version << 24 | std::uint64_t{origin} << 23 | (made_at & 0x7fffff);
    return body << 8 | check(body);
  }
  /// nullopt: no stamp, or a damaged one.
  static std::optional<Stamp> unpack(std::uint64_t word) {
    const std::uint64_t body = word >> 8;
    if (check(body) != (word & 0xff)) return std::nullopt;
    return Stamp{body >> 48, body >> 24 & 0xffffff, Origin(body >> 23 & 1), body & 0x7fffff};
  }
  friend bool operator==(const Stamp&, const Stamp&) = default;

 private:
  static std::uint64_t check(std::uint64_t body) { return (body * 0x9e3779b97f4a7c15) >> 56; }
};

/// What text is padded with, by its version: bytes of two values of one key do not fit together by chance.
std::string padding_of(const Stamp& stamp);

/// A stamp as a value.
template <class R>
R value_of(const Stamp& stamp) {
  if constexpr (std::is_same_v<R, std::uint64_t>) {
    return stamp.packed();
  } else {
    return R(std::to_string(stamp.packed()) + '|' + padding_of(stamp));
  }
}

/// The stamp of a value; nullopt: the value is damaged, or empty.
inline std::optional<Stamp> stamp_of(std::uint64_t value) { return Stamp::unpack(value); }
inline std::optional<Stamp> stamp_of(const std::string& value) {
  char* end = nullptr;
  const auto stamp = Stamp::unpack(std::strtoull(value.c_str(), &end, 10));
  return stamp && value_of<std::string>(*stamp) == value ? stamp : std::nullopt;
}
inline std::optional<Stamp> stamp_of(const std::optional<std::string>& value) {
  return value ? stamp_of(*value) : std::nullopt;
}

}  // namespace dsta::cache::fleet_model
