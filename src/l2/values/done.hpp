#pragma once
#include <cstdint>
#include <string_view>

#include "base/send_order.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What a command came to. `unknown`: the server may have executed it.
struct Done {
  enum Status : std::uint8_t {
    yes,
    no,
    overtaken,  ///< by a load that began later and has stored already
    unknown,
  };
  Status status = no;
  std::string_view why = {};  ///< lives as long as the process; empty for `yes`
  SendOrder order = {};       ///< of the request that did it, where that was asked for: by EntryWriter::put
  bool refused = false;       ///< the server answered with an error
  bool forbidden = false;     ///< and that says that the user may not, or that there is no such command
  explicit operator bool() const { return status == yes; }
  /// It is done, or what it was about is not there: not refused, and not unknown.
  bool executed() const { return status != unknown && why.empty(); }
  /// The server has answered, whatever it was.
  bool answered() const { return executed() || refused; }
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
