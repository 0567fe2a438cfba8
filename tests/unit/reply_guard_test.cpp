// The bytes of a server: what is let through to the parser, what is refused before anything is allocated for it.
#include "l2/resp/reply_guard.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "l2/resp/reply_reader.hpp"
#include "l2/resp/request.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::scaled;
using Verdict = ReplyGuard::Verdict;

/// The verdict on bytes that come all at once.
Verdict look(std::string_view bytes, ReplyLimits limits = {}) { return ReplyGuard(limits).look(bytes); }

/// A random reply, and what it looks like on the wire.
Reply random_reply(std::mt19937_64& random, std::string& wire, int depth = 0) {
  const auto text = [&] {
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    return bytes;
  };
  Reply reply;
  switch (random() % (depth < 5 ? 6 : 5)) {
    case 0:
      reply.kind = Reply::Kind::nil;
      wire += random() % 2 == 0 ? "$-1\r\n" : "*-1\r\n";
      break;
    case 1:
      reply.kind = Reply::Kind::integer;
      reply.integer = static_cast<std::int64_t>(random());
      wire += ":" + std::to_string(reply.integer) + "\r\n";
      break;
    case 2:
      reply.kind = Reply::Kind::status;
      reply.text = "OK";
      wire += "+OK\r\n";
      break;
    case 3:
      reply.kind = Reply::Kind::error;
      reply.text = "ERR some words";
      wire += "-ERR some words\r\n";
      break;
    case 4:
      reply.kind = Reply::Kind::text;
      reply.text = text();
      wire += "$" + std::to_string(reply.text.size()) + "\r\n" + reply.text + "\r\n";
      break;
    default:
      reply.kind = Reply::Kind::array;
      reply.elements.resize(random() % 4);
      wire += "*" + std::to_string(reply.elements.size()) + "\r\n";
      for (Reply& element : reply.elements) element = random_reply(random, wire, depth + 1);
  }
  return reply;
}

void expect_equal(const Reply& a, const Reply& b) {
  ASSERT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.integer, b.integer);
  EXPECT_EQ(a.text, b.text);
  ASSERT_EQ(a.elements.size(), b.elements.size());
  for (std::size_t i = 0; i < a.elements.size(); ++i) expect_equal(a.elements[i], b.elements[i]);
}

TEST(ReplyGuard, FindsTheEndOfEveryReplyHoweverTheBytesAreCut) {
  std::mt19937_64 random(20260101);
  ReplyReader parser;
  for (std::size_t round = 0; round < scaled(20'000); ++round) {
    std::string wire;
    std::vector<Reply> sent;
    std::vector<std::size_t> ends;
    for (std::size_t n = 1 + random() % 5; n > 0; --n) {
      sent.push_back(random_reply(random, wire));
      ends.push_back(wire.size());
    }
    ReplyGuard guard;
    std::size_t begin = 0, come = 0, found = 0;
    while (found < sent.size()) {
      if (come < wire.size()) come += 1 + random() % (wire.size() - come);
      for (;;) {
        const Verdict verdict = guard.look(std::string_view(wire).substr(begin, come - begin));
        ASSERT_NE(verdict, Verdict::refused) << guard.reason();
        if (verdict == Verdict::incomplete) break;
        ASSERT_EQ(begin + guard.size(), ends[found]);
        Reply read;
        ASSERT_TRUE(parser.read(std::string_view(wire).substr(begin, guard.size()), read));
        expect_equal(read, sent[found]);
        begin = ends[found++];
        if (found == sent.size()) break;
      }
    }
  }
}

TEST(ReplyGuard, RefusesWhatNoServerSendsAsSoonAsItsHeaderIsThere) {
  const ReplyLimits small{.bytes = 1000, .whole = 1000, .elements = 100};
  for (const std::string_view hostile : {"*2147483647\r\n",
                                         "*101\r\n",
                                         "$9223372036854775807\r\n",
                                         "$9223372036854775808\r\n",
                                         "$1001\r\n",
                                         "$-2\r\n",
                                         "*-2\r\n",
                                         "$5x\r\n",
                                         "$\r\n",
                                         ":12a\r\n",
                                         ":\r\n",
                                         ": 1\r\n",
                                         "*1.5\r\n",
                                         "\r\n",
                                         "+OK\n",
                                         "hello\r\n",
                                         "HTTP/1.1 400 Bad Request\r\n",
                                         "%1\r\n",
                                         "_\r\n",
                                         "#t\r\n",
                                         ",1.5\r\n",
                                         ">2\r\n",
                                         "$5\r\nhelloXX",
                                         "$5\r\nhello\r\r",
                                         "+O\rK\r\n",
                                         "$+5\r\nhello\r\n"}) {
    EXPECT_EQ(look(hostile, small), Verdict::refused) << hostile;
  }
  EXPECT_EQ(look(std::string_view("\x15\x03\x01\x00\x02\x02\n\x00\r\n", 10)), Verdict::refused) << "TLS alert";
}

TEST(ReplyGuard, ShowsWhereALargeTextIsOnItsWay) {
  const auto large_at = [](std::string_view bytes) {
    ReplyGuard guard({.bytes = std::size_t{1} << 20});
    (void)guard.look(bytes);
    return guard.large_at();
  };
  EXPECT_EQ(large_at("$262143\r\nabc"), 0u);
  EXPECT_EQ(large_at("$262144\r\nabc"), 1u);
  EXPECT_EQ(large_at("$1048577\r\n"), 1u) << "refused";
  EXPECT_EQ(large_at("*3\r\n$1\r\na\r\n$300000\r\n"), 3u);
  EXPECT_EQ(large_at("*3\r\n$1\r\na\r\n$3\r\na"), 0u);
  ReplyGuard guard;
  std::string bytes = "$300000\r\n";
  ASSERT_EQ(guard.look(bytes), Verdict::incomplete);
  ASSERT_EQ(guard.look(bytes.append(300'000, 'x').append("\r\n")), Verdict::complete);
  guard.forget_large();
  EXPECT_EQ(guard.large_at(), 0u);
}

TEST(ReplyGuard, RefusesLinesThatNeverEndAndNestingWithoutBottom) {
  EXPECT_EQ(look("+" + std::string(70'000, 'x')), Verdict::refused);
  EXPECT_EQ(look(std::string(70'000, 'x')), Verdict::refused);
  std::string nested;
  for (int i = 0; i < 100'000; ++i) nested += "*1\r\n";
  EXPECT_EQ(look(nested), Verdict::refused);
}

TEST(ReplyGuard, RefusesAReplyWhosePartsAreSmallAndTheWholeIsNot) {
  std::string many = "*90\r\n";
  for (int i = 0; i < 90; ++i) many += "$20\r\n" + std::string(20, 'x') + "\r\n";
  EXPECT_EQ(look(many, {.bytes = 1000, .whole = 1000, .elements = 100}), Verdict::refused);
  EXPECT_EQ(look(many, {.bytes = 10'000, .elements = 100}), Verdict::complete);
  std::string nested = "*50\r\n";
  for (int i = 0; i < 50; ++i) nested += "*2\r\n:1\r\n:2\r\n";
  EXPECT_EQ(look(nested, {.bytes = 10'000, .elements = 100}), Verdict::refused) << "151 elements in all";
}

TEST(ReplyGuard, RandomBytesNeverReachOrCrashTheParser) {
  std::mt19937_64 random(7);
  ReplyReader parser;
  const std::string_view alphabet = "*$+-:\r\n0123456789x";
  for (std::size_t round = 0; round < scaled(200'000); ++round) {
    std::string bytes(random() % 60, '\0');
    for (char& byte : bytes) {
      byte = random() % 8 == 0 ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
    }
    ReplyGuard guard({.bytes = 4096, .whole = 4096, .elements = 64});
    std::string_view rest = bytes;
    while (!rest.empty() && guard.look(rest) == Verdict::complete) {
      Reply reply;
      ASSERT_TRUE(parser.read(rest.substr(0, guard.size()), reply)) << bytes;
      rest.remove_prefix(guard.size());
    }
  }
}

TEST(ReplyReader, AReplyAfterAnErrorReplyIsItsOwn) {
  ReplyReader parser;
  Reply reply;
  ASSERT_TRUE(parser.read("-WRONGTYPE Operation against a key\r\n", reply));
  EXPECT_EQ(reply.error_code(), "WRONGTYPE");
  ASSERT_TRUE(parser.read("$2\r\nhi\r\n", reply));
  EXPECT_EQ(reply.text, "hi");
  EXPECT_EQ(reply.error_code(), "");
}

TEST(RequestTest, ACommandIsAnArrayOfArgumentsOfAnyBytes) {
  Request request{"SET", std::string_view("a\0\r\n", 4), ""};
  EXPECT_EQ(request.bytes(), std::string_view("*3\r\n$3\r\nSET\r\n$4\r\na\0\r\n\r\n$0\r\n\r\n", 29));
  request.add({"PING"});
  EXPECT_EQ(request.commands(), 2u);
}

}  // namespace
}  // namespace dsta::cache::detail
