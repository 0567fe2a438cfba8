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

/// The place behind the bracket that closes the one at `open`.
std::size_t behind_closing(std::string_view text, std::size_t open) {
  std::size_t depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '<' || text[i] == '(') ++depth;
    if ((text[i] == '>' || text[i] == ')') && --depth == 0) return i + 1;
  }
  return text.size();
}

/// As a part of a key: nothing that separates or escapes.
std::string as_key_part(std::string text) {
  replace_all(text, "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string");
  replace_all(text, "std::__cxx11::", "std::");
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
std::string template_arguments(std::string_view name, const std::type_info* function) {
  if (!function) return {};
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(function->name(), nullptr, nullptr, &status), &std::free);
  if (!demangled) return {};
  // "FunctionOf<&(int space::twice<int>(int const&))>": only that of a template is in parentheses, behind its result.
  const std::string_view text = demangled.get();
  const std::size_t begin = text.find("<&(");
  if (begin == std::string_view::npos) return {};
  for (std::size_t i = begin + 3; i < text.size();) {
    if (text[i] != '<' && text[i] != '(') {
      ++i;
      continue;
    }
    const std::size_t end = behind_closing(text, i);
    const bool is_function = text[i] == '<' && end < text.size() && text[end] == '(' && i >= name.size() &&
                             text.substr(i - name.size(), name.size()) == name && !is_word(text[i - name.size() - 1]);
    if (is_function) return as_key_part(std::string(text.substr(i, end - i)));
    i = end;
  }
  return {};
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
