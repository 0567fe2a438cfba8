#include <cxxabi.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>

#include <dsta/cache/detail/signature.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

constexpr std::string_view kAnonymous = "{anonymous}";

/// The place behind the bracket that closes the one at `open`.
std::size_t behind_closing(std::string_view text, std::size_t open) {
  std::size_t depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '<' || text[i] == '(') ++depth;
    if ((text[i] == '>' || text[i] == ')') && --depth == 0) return i + 1;
  }
  return text.size();
}

/// The place of the bracket that the one before `end` closes.
std::size_t opening_before(std::string_view text, std::size_t end) {
  std::size_t depth = 0;
  for (std::size_t i = end; i-- > 0;) {
    if (text[i] == '>' || text[i] == ')') ++depth;
    if ((text[i] == '<' || text[i] == '(') && --depth == 0) return i;
  }
  return 0;
}

/// Where the names begin of which text[begin, ...) is the last: of the outermost class that has template arguments, or
/// of the function itself.
std::size_t begin_of_templates(std::string_view text, std::size_t begin) {
  std::size_t outermost = begin;
  while (begin >= 2 && text.substr(begin - 2, 2) == "::") {
    begin -= 2;
    const bool has_arguments = begin > 0 && text[begin - 1] == '>';
    if (has_arguments) begin = opening_before(text, begin);
    if (text.substr(0, begin).ends_with(kAnonymous)) begin -= kAnonymous.size();
    while (begin > 0 && is_word(text[begin - 1])) --begin;
    if (has_arguments) outermost = begin;
  }
  return outermost;
}

/// As a part of a key: nothing that separates or escapes.
std::string as_key_part(std::string text) {
  replace_all(text, "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string");
  replace_all(text, "std::__cxx11::", "std::");
  replace_all(text, kAnonymous, "(anonymous_namespace)");
  replace_all(text, "[abi:cxx11]", "");
  replace_all(text, "::", ".");
  replace_all(text, ", ", ";");
  replace_all(text, " >", ">");
  for (char& c : text) {
    if (c == ' ' || c == '*' || c == '?' || c == '[' || c == ']' || c == '{' || c == '}') c = '_';
  }
  return text;
}

}  // namespace

// The mangled name is the same from every compiler, and says the template arguments. What a compiler itself prints is
// not, and clang leaves them out.
std::string name_in_key(std::string_view name, const std::type_info* function) {
  std::string plain(name);
  if (!function || name.empty()) return plain;
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(function->name(), nullptr, nullptr, &status), &std::free);
  if (!demangled) return plain;
  // One of
  //   FunctionOf<&(plain(int))>
  //   FunctionOf<&(int space::twice<int>(int const&))>
  //   FunctionOf<&(bool (*twice<bool (*)(int)>(bool (* const&)(int)))(int))>
  //   FunctionOf<&space::Box<int>::f[abi:cxx11]>
  std::string replaced = demangled.get();
  replace_all(replaced, "(anonymous namespace)", kAnonymous);
  const std::string_view all = replaced;
  const std::size_t start = all.find("<&");
  if (start == std::string_view::npos) return plain;
  const std::string_view text = all.substr(start + 2, all.size() - start - 3);
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '<' || text.substr(i).starts_with("decltype (")) {  // arguments, and not of the function
      i = behind_closing(text, text.find_first_of("<(", i));
      continue;
    }
    if (text.substr(i, name.size()) != name || (i > 0 && is_word(text[i - 1]))) {
      ++i;
      continue;
    }
    std::size_t end = i + name.size();
    if (text.substr(end).starts_with("[abi:")) end = text.find(']', end) + 1;
    if (end < text.size() && text[end] == '<') end = behind_closing(text, end);
    // A class of the same name in the result's type has other characters behind it.
    if (end >= text.size() || text[end] == '(') {
      const std::size_t begin = begin_of_templates(text, i);
      return as_key_part(std::string(text.substr(begin, end - begin)));
    }
    ++i;
  }
  return plain;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
