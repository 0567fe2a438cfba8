#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "l2/values/entry_put.hpp"
#include "l2/values/server_commands.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Brings large values to the server without holding up others, for a request that stores them. One thread.
///
/// Idea: a value travels over a connection for large values, to a key that nobody else knows; a RENAME among the other
/// requests puts it in its place. So the order of what changes entries is that of the shared connection, whichever way
/// the bytes take: a write that was given up cannot come to pass behind a later removal, and the server knows the
/// change for one of this process's own. What is uploaded and never put in its place expires.
class LargeUpload {
 public:
  /// Uploads those of `puts` that are large. `puts` must outlive this. The caller adds `others` commands behind each.
  LargeUpload(ServerCommands& commands, std::span<const EntryPut> puts, std::size_t others = 0);

  /// For each of `puts`, in their order: adds what stores it at `key`. False: it could not be uploaded.
  bool add_set(Request& request, const EntryPut& put, std::string_view key);
  /// The replies to a request of these, or none.
  void take(const Answer& answer);
  /// Those that were uploaded and could not be put in their places. They travel with all others, once more, and
  /// `take_refused` takes what becomes of that.
  std::vector<EntryPut> refused() const;
  void take_refused(std::span<const Done> done);
  /// What became of each.
  std::vector<Done> take_done() && { return std::move(done_); }

 private:
  static constexpr std::size_t kNowhere = ~std::size_t{0};

  bool is_renamed(std::size_t i) const { return !uploaded_.empty() && !uploaded_[i].empty(); }
  /// Where none is large, each adds one command, and no places are noted.
  std::size_t reply_of(std::size_t i) const { return uploaded_.empty() ? first_ + i * (1 + others_) : replies_[i]; }
  void upload();
  bool take_rename(const Reply& renamed, const Reply& lives);
  void drop_uploads();

  ServerCommands& commands_;
  const std::span<const EntryPut> puts_;
  std::vector<std::string> uploaded_;  ///< under which key; empty: not, or none is
  const std::size_t others_;
  std::size_t added_ = 0;
  std::size_t first_ = 0;             ///< the reply to the first that was added
  std::vector<std::size_t> replies_;  ///< with uploads: which reply says what became of it
  std::vector<Done> done_;
  std::vector<std::size_t> refused_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
