#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "l2/resp/reply.hpp"
#include "l2/resp/request.hpp"
#include "l2/topology/hash_slot.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A part of a request that one master of a cluster can run.
class RequestPiece {
 public:
  /// How its replies become the request's.
  enum class Join : std::uint8_t {
    whole,     ///< they are replies of the request
    elements,  ///< of MGET: some elements of its reply
    sum,       ///< of UNLINK: a part of the number
    publish,   ///< of PUBLISH, which goes behind the pieces of each master that write
  };

  std::string_view bytes() const { return made_.empty() ? taken_ : made_; }
  std::size_t commands() const { return commands_; }
  /// Nothing: it has no key.
  std::optional<Slot> slot() const { return slot_; }
  bool writes() const { return writes_; }
  bool is_publish() const { return join_ == Join::publish; }
  /// It stands in the request as it is sent.
  bool is_taken() const { return made_.empty(); }

  /// What came; as many as commands(), or none yet.
  std::vector<Reply> replies;
  /// None will come.
  void miss(Reply::Missing how, std::string_view why);

 private:
  friend class SplitRequest;
  std::string made_;
  std::string_view taken_;
  std::size_t commands_ = 1;
  std::optional<Slot> slot_;
  bool writes_ = false;
  Join join_ = Join::whole;
  std::size_t reply_ = 0;               ///< of the request: the first that it brings
  std::vector<std::size_t> elements_;   ///< places in the reply to MGET
  std::vector<std::string_view> keys_;  ///< of MGET and UNLINK
};

/// A request taken apart into pieces of one slot each, which keep their order, and the replies to it put together
/// again. MGET and UNLINK become one for each slot; what stands between MULTI and EXEC stays together; commands without
/// a key (and scripts, whose keys must share a slot) are a piece each. The request must outlive it. One thread.
class SplitRequest {
 public:
  explicit SplitRequest(const Request& request);

  std::vector<RequestPiece>& pieces() { return pieces_; }
  const std::vector<RequestPiece>& pieces() const { return pieces_; }
  /// Where a MGET or UNLINK has several keys: one for each, since a slot that is being moved may have some of them here
  /// and some there. False: it has one only.
  bool split_keys(std::size_t piece);
  /// When all pieces have their replies. Of MGET those that are missing are elements; else they are errors like others.
  std::vector<Reply> join();

 private:
  void add_multi(std::string_view& rest, std::string_view from, std::size_t reply);
  void add_keys(std::string_view name, RequestPiece::Join join, std::size_t reply);
  RequestPiece make(std::string_view name, const RequestPiece& like, std::vector<std::string_view> keys,
                    std::vector<std::size_t> elements) const;

  std::size_t commands_;
  std::vector<RequestPiece> pieces_;
  std::vector<std::string_view> words_;
  std::vector<std::size_t> arrays_;  ///< for each reply of the request: how many elements it has
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
