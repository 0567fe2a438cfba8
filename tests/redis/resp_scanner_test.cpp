#include "resp_scanner.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "reply_damage.hpp"
#include "wire_client.hpp"

namespace dsta::cache::testing_support {
namespace {

const std::vector<std::string> kMessages = {
    "+OK\r\n",
    "-ERR no\r\n",
    ":12\r\n",
    "$5\r\na\r\nbc\r\n",
    "$0\r\n\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "*0\r\n",
    "*2\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n",
    "_\r\n",
    "#t\r\n",
    ",3.14\r\n",
    "(12345678901234567890\r\n",
    "!5\r\nERR x\r\n",
    "=7\r\ntxt:abc\r\n",
    "~2\r\n:1\r\n:2\r\n",
    "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n",
    "%0\r\n",
    ">2\r\n+invalidate\r\n*1\r\n+k\r\n",
    "|1\r\n+ttl\r\n:5\r\n+value\r\n",
    "*2\r\n|1\r\n+ttl\r\n:5\r\n+a\r\n+b\r\n",
    "PING\r\n",
};

TEST(RespScanner, FindsTheEndOfEachMessageHoweverItArrives) {
  for (const std::string& message : kMessages) {
    RespScanner scanner;
    std::string buffer;
    for (std::size_t i = 0; i + 1 < message.size(); ++i) {
      buffer += message[i];
      EXPECT_EQ(scanner.scan(buffer), std::nullopt) << message << " at " << i;
    }
    EXPECT_EQ(scanner.scan(message + "+more\r\n"), message.size()) << message;
  }
}

TEST(RespScanner, SplitsAStreamCutAtRandom) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> sent, found;
    std::string stream, buffer;
    for (int i = 0; i < 20; ++i) stream += sent.emplace_back(kMessages[random() % kMessages.size()]);
    RespScanner scanner;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t step = 1 + random() % 30;
      buffer += stream.substr(at, step);
      at += step;
      while (!buffer.empty()) {
        const auto length = scanner.scan(buffer);
        if (!length) break;
        found.push_back(buffer.substr(0, *length));
        buffer.erase(0, *length);
      }
    }
    EXPECT_EQ(found, sent);
    EXPECT_TRUE(buffer.empty());
  }
}

TEST(RespScanner, SaysWhatIsNoLength) {
  for (const std::string text : {"$x\r\n", "*1a\r\n", "$\r\n", "$-7\r\n", "*99999999999\r\n", "%-1\r\n", "$?\r\n"}) {
    RespScanner scanner;
    EXPECT_EQ(scanner.scan(text), std::nullopt) << text;
    EXPECT_TRUE(scanner.broken()) << text;
  }
}

TEST(ReplyDamage, ChangesTheFirstLengthOnly) {
  EXPECT_EQ(with_wrong_length("$5\r\nhello\r\n", 1), "$6\r\nhello\r\n");
  EXPECT_EQ(with_wrong_length("*2\r\n:1\r\n$1\r\na\r\n", 1), "*3\r\n:1\r\n$1\r\na\r\n");
  EXPECT_EQ(with_wrong_length("%1\r\n:1\r\n:2\r\n", -1), "%0\r\n:1\r\n:2\r\n");
  for (const std::string whole : {"+OK\r\n", ":1\r\n", "$-1\r\n", "-ERR\r\n"}) {
    EXPECT_EQ(with_wrong_length(whole, 1), whole);
  }
}

TEST(ReplyDamage, GarbageAtTheBeginningIsNoResp) {
  std::mt19937_64 random(1);
  const std::string damaged = with_garbage("$5\r\nhello\r\n", 2, 0, random);
  EXPECT_NE(damaged[0] & 0x80, 0);
  EXPECT_EQ(damaged.substr(2), "\r\nhello\r\n");
  EXPECT_EQ(with_garbage("+OK\r\n", 100, 1, random).size(), 5U);
}

TEST(ReplyDamage, KnowsTheCommandOfARequest) {
  EXPECT_EQ(command_name(encode_request({"get", "k"})), "GET");
  EXPECT_EQ(command_name("ping\r\n"), "PING");
  EXPECT_EQ(command_name("set k v\r\n"), "SET");
  EXPECT_EQ(command_name("*0\r\n"), "");
}

TEST(ReplyText, ReadsEveryKindOfReply) {
  EXPECT_EQ(reply_text("-ERR no\r\n"), "-ERR no");
  EXPECT_EQ(reply_text("!5\r\nERR x\r\n"), "-ERR x");
  EXPECT_EQ(reply_text("*3\r\n:1\r\n$-1\r\n*1\r\n+a\r\n"), "1\n(nil)\na");
  EXPECT_EQ(reply_text("%1\r\n+a\r\n_\r\n"), "a\n(nil)");
  EXPECT_EQ(reply_text("|1\r\n+ttl\r\n:5\r\n+value\r\n"), "ttl\n5\nvalue");
}

}  // namespace
}  // namespace dsta::cache::testing_support
