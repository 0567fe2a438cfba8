#pragma once
#include <utility>

#include "l2/values/entry_reader.hpp"
#include "l2/values/entry_remover.hpp"
#include "l2/values/entry_writer.hpp"
#include "l2/values/lease_store.hpp"
#include "l2/values/server_commands.hpp"
#include "l2/values/version_store.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// L2 on one server, in bytes: entries, leases, versions, counters. It knows nothing of values' types nor of L1.
/// Thread-safe. Throws std::bad_alloc, and nothing for what the server or the network does.
class L2Store {
 public:
  explicit L2Store(ServerCommands::Options options) : commands_(std::move(options)) {}

  Servers& servers() { return commands_.servers(); }
  const KeySpace& keys() const { return commands_.keys(); }
  const ServerClock& clock() const { return commands_.clock(); }
  Announcer& announcer() { return commands_.announcer(); }
  /// Changes are announced.
  bool announces() { return bool(commands_.changes()); }
  std::string missing_text() { return commands_.missing_text(); }
  bool has_scripts() const { return commands_.has_scripts(); }

  VersionStore& versions() { return versions_; }
  EntryReader& reader() { return reader_; }
  EntryWriter& writer() { return writer_; }
  LeaseStore& leases() { return leases_; }
  const LeaseStore& leases() const { return leases_; }
  EntryRemover& remover() { return remover_; }

  /// Another server took over.
  void forget_server() {
    versions_.forget_all();
    leases_.forget_server();
    commands_.forget_server();
  }
  /// In the child of a fork, before anything else.
  void forget_parent() {
    versions_.forget_parent();
    commands_.forget_parent();
  }

 private:
  ServerCommands commands_;
  VersionStore versions_{commands_};
  EntryReader reader_{commands_, versions_};
  EntryWriter writer_{commands_, versions_};
  LeaseStore leases_{commands_};
  EntryRemover remover_{commands_, versions_};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
