// Replies that a guard let pass are read as they were written, whoever reads them: this library or hiredis.
#include "l2/resp/reply_reader.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

#include "l2/resp/reply_guard.hpp"

namespace dsta::cache::detail {
namespace {

std::string written(const Reply& reply) {
  const auto line = [](char kind, const std::string& text) { return kind + text + "\r\n"; };
  switch (reply.kind) {
    case Reply::Kind::nil:
      return "$-1\r\n";
    case Reply::Kind::status:
      return line('+', reply.text);
    case Reply::Kind::error:
      return line('-', reply.text);
    case Reply::Kind::integer:
      return line(':', std::to_string(reply.integer));
    case Reply::Kind::text:
      return line('$', std::to_string(reply.text.size())) + reply.text + "\r\n";
    case Reply::Kind::array:
      break;
  }
  std::string all = line('*', std::to_string(reply.elements.size()));
  for (const Reply& element : reply.elements) all += written(element);
  return all;
}

Reply made(std::mt19937& random, int depth) {
  Reply reply;
  reply.kind = static_cast<Reply::Kind>(random() % (depth > 0 ? 6 : 5));
  switch (reply.kind) {
    case Reply::Kind::nil:
      break;
    case Reply::Kind::status:
    case Reply::Kind::error:
      reply.text = std::string(random() % 30, 'e');
      break;
    case Reply::Kind::integer:
      reply.integer = static_cast<std::int64_t>((std::uint64_t{random()} << 32 | random()) >> (random() % 64));
      if (random() % 2 == 0) reply.integer = -reply.integer;
      break;
    case Reply::Kind::text:
      for (auto size = random() % 40; size > 0; --size) reply.text += static_cast<char>(random());
      break;
    case Reply::Kind::array:
      for (auto size = random() % 6; size > 0; --size) reply.elements.push_back(made(random, depth - 1));
  }
  return reply;
}

void expect_same(const Reply& read, const Reply& expected) {
  EXPECT_EQ(read.kind, expected.kind);
  EXPECT_EQ(read.integer, expected.integer);
  EXPECT_EQ(read.text, expected.text);
  ASSERT_EQ(read.elements.size(), expected.elements.size());
  for (std::size_t i = 0; i < read.elements.size(); ++i) expect_same(read.elements[i], expected.elements[i]);
}

TEST(ReplyReader, ReadsWhatWasWritten) {
  std::mt19937 random(5);
  ReplyReader reader;
  ReplyGuard guard;
  Reply read;
  for (int i = 0; i < 5000; ++i) {
    const Reply expected = made(random, static_cast<int>(random() % 4));
    const std::string bytes = written(expected);
    ASSERT_EQ(guard.look(bytes), ReplyGuard::Verdict::complete) << bytes;
    ASSERT_TRUE(reader.read(bytes, read));
    expect_same(read, expected);
  }
}

TEST(ReplyReader, ReadsAnArrayThatIsNotThereAsNothing) {
  ReplyReader reader;
  Reply read;
  for (const char* bytes : {"*-1\r\n", "$-1\r\n"}) {
    ASSERT_TRUE(reader.read(bytes, read));
    EXPECT_TRUE(read.is(Reply::Kind::nil));
  }
  ASSERT_TRUE(reader.read("*3\r\n*-1\r\n:-9223372036854775808\r\n*0\r\n", read));
  ASSERT_EQ(read.elements.size(), 3u);
  EXPECT_TRUE(read.elements[0].is(Reply::Kind::nil));
  EXPECT_EQ(read.elements[1].integer, std::numeric_limits<std::int64_t>::min());
  EXPECT_TRUE(read.elements[2].is(Reply::Kind::array));
}

}  // namespace
}  // namespace dsta::cache::detail
