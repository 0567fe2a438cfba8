#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reply_damage.hpp"
#include "wire_client.hpp"

namespace dsta::cache::testing_support {

/// What a server was asked to do, scripts' own calls included. One thread.
class Monitor {
 public:
  using Command = std::vector<std::string>;

  explicit Monitor(std::uint16_t port) : client_(WireClient::tcp(port)) { client_.call({"MONITOR"}); }

  /// Every command since the last call. The commands' names are in upper case.
  std::vector<Command> take(std::uint16_t port) {
    const std::string end = "end of transcript " + std::to_string(++ends_);
    WireClient::tcp(port).call({"ECHO", end});
    std::vector<Command> commands;
    for (;;) {
      commands.push_back(words(reply_text(client_.read_reply())));
      if (commands.back().size() == 2 && commands.back()[1] == end) return commands.pop_back(), commands;
    }
  }

 private:
  /// Of `1700000000.000000 [0 127.0.0.1:1234] "SET" "k" "v\x00"`.
  static Command words(std::string_view line) {
    Command command;
    for (std::size_t at = line.find("] "); at != std::string_view::npos && at < line.size(); ++at) {
      if (line[at] != '"') continue;
      std::string word;
      for (++at; at < line.size() && line[at] != '"'; ++at) word += line[at] == '\\' ? unescape(line, at) : line[at];
      command.push_back(std::move(word));
    }
    if (!command.empty()) command[0] = command_name(command[0] + " ");
    return command;
  }
  /// At a backslash; leaves `at` on the last byte of the escape.
  static char unescape(std::string_view line, std::size_t& at) {
    const char kind = ++at < line.size() ? line[at] : '\\';
    switch (kind) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'a':
        return '\a';
      case 'b':
        return '\b';
      case 'x': {
        const std::string digits(line.substr(at + 1, 2));
        at += 2;
        return static_cast<char>(std::stoi(digits, nullptr, 16));
      }
      default:
        return kind;
    }
  }

  WireClient client_;
  int ends_ = 0;
};

/// The keys that a command names, and the patterns that it matches them by.
inline std::vector<std::string> keys_of(const Monitor::Command& command) {
  const std::string& name = command.at(0);
  const auto is_one_of = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (is_one_of({"PING",   "ECHO",    "HELLO",   "AUTH", "SELECT",    "CLIENT",   "INFO",
                 "SCRIPT", "COMMAND", "TIME",    "ROLE", "SUBSCRIBE", "READONLY", "MULTI",
                 "EXEC",   "DISCARD", "UNWATCH", "QUIT", "RESET",     "CONFIG"})) {
    return {};
  }
  std::vector<std::string> keys;
  if (is_one_of({"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL"})) {
    const std::size_t count = std::stoul(command.at(2));
    for (std::size_t i = 0; i < count; ++i) keys.push_back(command.at(3 + i));
  } else if (is_one_of({"DEL", "UNLINK", "EXISTS", "MGET", "TOUCH", "WATCH"})) {
    keys.assign(command.begin() + 1, command.end());
  } else if (is_one_of({"MSET", "MSETNX"})) {
    for (std::size_t i = 1; i < command.size(); i += 2) keys.push_back(command[i]);
  } else if (name == "SCAN") {
    std::string pattern = "*";
    for (std::size_t i = 2; i + 1 < command.size(); ++i) {
      if (command_name(command[i] + " ") == "MATCH") pattern = command[i + 1];
    }
    keys.push_back(pattern);
  } else {
    keys.push_back(command.size() > 1 ? command[1] : "");
  }
  return keys;
}

}  // namespace dsta::cache::testing_support
