#pragma once
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Commands in the form they travel in (RESP arrays of bulk strings), one behind the other: what
/// redisFormatCommandArgv makes, without a copy of its own. One thread.
class Request {
 public:
  Request() = default;
  Request(std::initializer_list<std::string_view> command) { add(command); }

  Request& add(std::initializer_list<std::string_view> command) {
    return add(std::span<const std::string_view>(command.begin(), command.size()));
  }
  Request& add(std::span<const std::string_view> command);
  /// The same argument by argument: `begin`, then as many times `argument`. `bytes` is how much the arguments take
  /// together, or less.
  Request& begin(std::size_t arguments, std::size_t bytes = 0);
  Request& argument(std::string_view text);

  /// Whole commands, as they travel.
  Request& append(std::string_view bytes, std::size_t commands) {
    bytes_.append(bytes);
    commands_ += commands;
    return *this;
  }

  std::string_view bytes() const { return bytes_; }
  /// How many replies will come.
  std::size_t commands() const { return commands_; }
  /// The name of one of them; looked for each time, so not for the hot path.
  std::string_view command(std::size_t index) const;
  /// Whether a command in it may change something at the server. Looked for each time, so not for the hot path.
  bool writes() const;
  static bool writes(std::string_view command);
  /// Takes the first command off `rest`, the end of a request's bytes, and returns its name; empty at the end.
  static std::string_view take_command(std::string_view& rest);
  /// The same with all its words.
  static void take_words(std::string_view& rest, std::vector<std::string_view>& words);

 private:
  std::string bytes_;
  std::size_t commands_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
