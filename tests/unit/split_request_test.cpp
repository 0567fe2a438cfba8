#include "l2/topology/split_request.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "replies.hpp"

namespace dsta::cache::detail {
namespace {

// foo: 12182, bar: 5061.

std::string sent(const RequestPiece& piece) {
  std::string text;
  std::string_view rest = piece.bytes();
  std::vector<std::string_view> words;
  for (Request::take_words(rest, words); !words.empty(); Request::take_words(rest, words)) {
    text += text.empty() ? "" : "; ";
    for (std::size_t i = 0; i < words.size(); ++i) text.append(i == 0 ? "" : " ").append(words[i]);
  }
  return text;
}

std::vector<std::string> pieces_of(const Request& request) {
  std::vector<std::string> all;
  SplitRequest split(request);
  for (const RequestPiece& piece : split.pieces()) all.push_back(sent(piece));
  return all;
}

using testing_support::error_reply;
using testing_support::number_reply;
using testing_support::text_reply;
using Pieces = std::vector<std::string>;

TEST(SplitRequest, KeepsTheOrderOfWhatOneMasterGets) {
  Request request;
  request.add({"GET", "foo"}).add({"UNLINK", "foo", "{foo}x"}).add({"SET", "bar", "1"});
  EXPECT_EQ(pieces_of(request), (Pieces{"GET foo", "UNLINK foo {foo}x", "SET bar 1"}));
  SplitRequest split(request);
  EXPECT_EQ(split.pieces()[0].slot(), Slot{12182});
  EXPECT_EQ(split.pieces()[1].slot(), Slot{12182});
  EXPECT_EQ(split.pieces()[2].slot(), Slot{5061});
  EXPECT_TRUE(split.pieces()[1].is_taken());
  EXPECT_FALSE(split.pieces()[0].writes());
  EXPECT_TRUE(split.pieces()[2].writes());
}

TEST(SplitRequest, ReadsTheKeysOfScripts) {
  Request request;
  request.add({"EVALSHA", "abc", "2", "foo", "{foo}x", "argument"}).add({"EVAL", "return 1", "0"}).add({"TIME"});
  SplitRequest split(request);
  EXPECT_EQ(split.pieces()[0].slot(), Slot{12182});
  EXPECT_EQ(split.pieces()[1].slot(), std::nullopt);
  EXPECT_EQ(split.pieces()[2].slot(), std::nullopt);
}

TEST(SplitRequest, MultiStaysTogether) {
  Request request;
  request.add({"MULTI"}).add({"SET", "foo", "0", "NX"}).add({"INCRBY", "foo", "1"}).add({"EXEC"}).add({"GET", "bar"});
  EXPECT_EQ(pieces_of(request), (Pieces{"MULTI; SET foo 0 NX; INCRBY foo 1; EXEC", "GET bar"}));
  SplitRequest split(request);
  EXPECT_EQ(split.pieces()[0].slot(), Slot{12182});
  EXPECT_EQ(split.pieces()[0].commands(), 4u);
  split.pieces()[0].replies = {text_reply("a"), text_reply("b"), text_reply("c"), text_reply("d")};
  split.pieces()[1].replies = {text_reply("e")};
  std::string joined;
  for (const Reply& reply : split.join()) joined += reply.text;
  EXPECT_EQ(joined, "abcde");
}

TEST(SplitRequest, ManyKeysAreAskedForBySlotAndPutTogether) {
  Request request;
  request.add({"GET", "bar"}).add({"MGET", "foo", "bar", "{foo}2", "{bar}2"});
  EXPECT_EQ(pieces_of(request), (Pieces{"GET bar", "MGET foo {foo}2", "MGET bar {bar}2"}));
  SplitRequest split(request);
  split.pieces()[0].replies = {text_reply("x")};
  for (std::size_t i = 1; i < 3; ++i) {
    Reply array;
    array.kind = Reply::Kind::array;
    array.elements = {text_reply(std::to_string(i)), text_reply(std::to_string(i) + "'")};
    split.pieces()[i].replies.push_back(std::move(array));
  }
  const auto all = split.join();
  ASSERT_EQ(all.size(), 2u);
  ASSERT_EQ(all[1].elements.size(), 4u);
  EXPECT_EQ(all[1].elements[0].text + all[1].elements[1].text + all[1].elements[2].text + all[1].elements[3].text,
            "121'2'");
}

TEST(SplitRequest, RemovalsAreAddedUp) {
  const Request request{"UNLINK", "foo", "bar", "{bar}2"};
  SplitRequest split(request);
  ASSERT_EQ(split.pieces().size(), 2u);
  split.pieces()[0].replies = {number_reply(1)};
  split.pieces()[1].replies = {number_reply(2)};
  EXPECT_EQ(split.join()[0].integer, 3);
}

TEST(SplitRequest, TheFirstErrorIsTheReplyOfAll) {
  const Request request{"MGET", "foo", "bar"};
  SplitRequest split(request);
  Reply array;
  array.kind = Reply::Kind::array;
  array.elements = {text_reply("1")};
  split.pieces()[0].replies.push_back(std::move(array));
  split.pieces()[1].replies = {error_reply("NOPERM no")};
  EXPECT_EQ(split.join()[0].error_code(), "NOPERM");
}

TEST(SplitRequest, WhatIsMissingConcernsItsOwnKeysAlone) {
  Request request;
  request.add({"MGET", "foo", "bar"}).add({"SET", "foo", "1"}).add({"UNLINK", "foo", "bar"});
  SplitRequest split(request);
  Reply array;
  array.kind = Reply::Kind::array;
  array.elements = {text_reply("1")};
  ASSERT_EQ(split.pieces().size(), 5u);
  split.pieces()[1].replies.push_back(std::move(array));
  split.pieces()[0].miss(Reply::Missing::not_sent, "why");
  split.pieces()[2].miss(Reply::Missing::maybe_executed, "why");
  split.pieces()[3].miss(Reply::Missing::maybe_executed, "why");
  split.pieces()[4].replies = {number_reply(1)};
  const auto all = split.join();
  ASSERT_EQ(all[0].elements.size(), 2u);
  EXPECT_EQ(all[0].elements[0].missing, Reply::Missing::not_sent);
  EXPECT_EQ(all[0].elements[1].text, "1");
  EXPECT_EQ(all[1].missing, Reply::Missing::maybe_executed);
  EXPECT_EQ(all[1].why, "why");
  EXPECT_EQ(all[2].missing, Reply::Missing::maybe_executed) << "half of it was removed";
}

TEST(SplitRequest, AReplyThatIsNoneIsShownAsItIs) {
  const Request request{"MGET", "foo", "bar"};
  SplitRequest split(request);
  for (RequestPiece& piece : split.pieces()) piece.replies = {number_reply(1)};
  EXPECT_TRUE(split.join()[0].is(Reply::Kind::integer));
}

TEST(SplitRequest, KeysOfOneSlotCanBeAskedForOneByOne) {
  const Request request{"MGET", "foo", "{foo}2", "{foo}3"};
  SplitRequest split(request);
  ASSERT_EQ(split.pieces().size(), 1u);
  ASSERT_TRUE(split.split_keys(0));
  ASSERT_EQ(split.pieces().size(), 3u);
  EXPECT_EQ(sent(split.pieces()[1]), "MGET {foo}2");
  EXPECT_FALSE(split.split_keys(1));
  for (std::size_t i = 0; i < 3; ++i) {
    Reply array;
    array.kind = Reply::Kind::array;
    array.elements = {text_reply(std::to_string(i))};
    split.pieces()[i].replies.push_back(std::move(array));
  }
  const auto all = split.join();
  ASSERT_EQ(all[0].elements.size(), 3u);
  EXPECT_EQ(all[0].elements[2].text, "2");
}

TEST(SplitRequest, AnAnnouncementIsNoChange) {
  Request request;
  request.add({"SET", "foo", "1"}).add({"PUBLISH", "dsta:changes", "text"});
  SplitRequest split(request);
  EXPECT_TRUE(split.pieces()[1].is_publish());
  EXPECT_FALSE(split.pieces()[1].writes());
}

}  // namespace
}  // namespace dsta::cache::detail
