// Which command a server's error refuses.
#include <gtest/gtest.h>

#include <string>

#include "l2/resp/reply.hpp"

namespace dsta::cache::detail {
namespace {

Reply refusal_of(const char* text) {
  Reply reply;
  reply.kind = Reply::Kind::error;
  reply.text = text;
  return reply;
}

TEST(RefusalTest, TheCommandIsTheQuotedWord) {
  EXPECT_TRUE(refusal_of("NOPERM this user has no permissions to run the 'ping' command").refuses("ping"));
  EXPECT_TRUE(refusal_of("ERR unknown command `PING`, with args beginning with: ").refuses("ping"));
  EXPECT_FALSE(refusal_of("NOPERM this user has no permissions to run the 'evalsha' command").refuses("eval"));
  EXPECT_FALSE(refusal_of("MISCONF 'ping'").refuses("ping")) << "it passes";
}

TEST(RefusalTest, ANameBeforeTheCommandHidesNothing) {
  EXPECT_TRUE(refusal_of("NOPERM User shipping has no permissions to run the 'ping' command").refuses("ping"));
  EXPECT_TRUE(refusal_of("NOPERM User ping has no permissions to run the 'ping' command").refuses("ping"));
  EXPECT_FALSE(refusal_of("NOPERM User shipping has no permissions to run the 'echo' command").refuses("ping"));
  EXPECT_FALSE(refusal_of("NOPERM User ping has no permissions to run the 'pingping' command").refuses("ping"));
}

}  // namespace
}  // namespace dsta::cache::detail
