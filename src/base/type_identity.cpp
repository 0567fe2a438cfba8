#include <dsta/cache/detail/type_identity.hpp>

#include <dsta/cache/detail/node.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

}  // namespace

// The grammar: "Mangling" in the Itanium C++ ABI. A name is read from left to right; identifiers are skipped by their
// length, so that no letter of theirs is taken for one of the grammar.
bool is_local_name(std::string_view mangled) noexcept {
  std::size_t i = 0;
  const auto at = [&](std::size_t place) { return place < mangled.size() ? mangled[place] : '\0'; };
  const auto skip_past = [&](char end) {
    const std::size_t found = mangled.find(end, i);
    if (found == std::string_view::npos) return false;
    i = found + 1;
    return true;
  };
  while (i < mangled.size()) {
    const char c = at(i), next = at(i + 1);
    if (is_digit(c)) {
      std::size_t length = 0;
      while (is_digit(at(i)) && length <= mangled.size())
        length = length * 10 + static_cast<std::size_t>(at(i++) - '0');
      if (length > mangled.size() - i) return true;
      const std::string_view identifier = mangled.substr(i, length);
      // Of an anonymous namespace; of what has no name, by clang.
      if (identifier.starts_with("_GLOBAL_") || identifier.starts_with("$")) return true;
      i += length;
    } else if (c == 'L') {
      if (next == '_' && at(i + 2) == 'Z') {
        i += 3;  // the address of what is named next
      } else if (!is_lower(next) || !skip_past('E')) {
        return true;  // of internal linkage, or a number that only a parser of types could tell from it
      }
    } else if (c == 'S' || c == 'T') {
      if (is_lower(next)) {
        i += 2;
      } else if (!skip_past('_')) {
        return true;
      }
    } else if (c == 'A' && is_digit(next)) {
      if (!skip_past('_')) return true;
    } else if (c == 'Z' || (c == 'U' && is_lower(next)) || (c == 'D' && (next == 'v' || next == 'F' || next == 'B'))) {
      return true;  // inside a function; a lambda or unnamed; types of compilers' own
    } else {
      ++i;
    }
  }
  return false;
}

bool same_type(const std::type_info* a, const std::type_info* b) noexcept {
  if (!a || !b) return false;
  if (a == b) return true;
  const std::string_view name = a->name();
  return name == b->name() && !is_local_name(name);
}

bool TypeOps::same_elsewhere(const TypeOps& other) const noexcept {
  return size == other.size && bitwise == other.bitwise && shareable == other.shareable && codec == other.codec &&
         same_type(info, other.info);
}

bool TypeOps::serves_elsewhere(const TypeOps& asked) const noexcept {
  return same_elsewhere(asked) || (plain && plain->same_elsewhere(asked)) ||
         (asked.plain && asked.plain->same_elsewhere(*this));
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
