#pragma once
#include <memory>
#include <string_view>

#include "l2/resp/reply.hpp"

struct redisReader;

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Parses whole replies that a ReplyGuard let pass straight into a Reply; nested ones by hiredis. One thread.
class ReplyReader {
 public:
  ReplyReader();
  /// False: it is none after all.
  bool read(std::string_view whole, Reply& out);

 private:
  struct Free {
    void operator()(redisReader* reader) const;
  };
  std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
