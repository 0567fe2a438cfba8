#include "l2/topology/slot_layout.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

namespace dsta::cache::detail {
namespace {

Reply words(std::string_view text) {
  Reply reply;
  reply.kind = Reply::Kind::text;
  reply.text = text;
  return reply;
}
Reply number(std::int64_t value) {
  Reply reply;
  reply.kind = Reply::Kind::integer;
  reply.integer = value;
  return reply;
}
template <class... Elements>
Reply list(Elements... elements) {
  Reply reply;
  reply.kind = Reply::Kind::array;
  (reply.elements.push_back(std::move(elements)), ...);
  return reply;
}
Reply refusal(std::string_view text) {
  Reply reply = words(text);
  reply.kind = Reply::Kind::error;
  return reply;
}

const AskedNode kAskedNode{.place = {.host = "10.0.0.9", .port = 7000}};
const AskedNode kAskedByTls{.place = {.host = "10.0.0.9", .port = 7000}, .tls = true};

Reply shard_node(std::string_view role, std::string_view endpoint, std::string_view health = "online") {
  return list(words("id"), words("x"), words("port"), number(7001), words("tls-port"), number(8001), words("ip"),
              words("10.0.0.1"), words("endpoint"), words(endpoint), words("role"), words(role), words("health"),
              words(health));
}
Reply shard(Reply slots, Reply nodes) {
  return list(words("slots"), std::move(slots), words("nodes"), std::move(nodes));
}

TEST(SlotLayout, ShardsNameTheMasterOfEachRange) {
  const Reply reply = list(shard(list(number(0), number(10), number(20), words("30")),
                                 list(shard_node("replica", "10.0.0.3"), shard_node("master", "10.0.0.2"))),
                           shard(list(), list(shard_node("master", "10.0.0.4"))));
  const auto layout = read_shards(reply, kAskedNode);
  ASSERT_TRUE(layout);
  ASSERT_EQ(layout->ranges.size(), 2u);
  EXPECT_EQ(layout->ranges[0].master, (HostPort{"10.0.0.2", 7001}));
  EXPECT_EQ(layout->ranges[1].first, 20);
  EXPECT_EQ(layout->ranges[1].last, 30);
  EXPECT_EQ(read_shards(reply, kAskedByTls)->ranges[0].master.port, 8001);
}

TEST(SlotLayout, AMasterThatFailedGivesWayToTheOneThatRuns) {
  const Reply reply = list(shard(list(number(0), number(1)), list(shard_node("master", "10.0.0.2", "fail"),
                                                                  shard_node("master", "10.0.0.3", "online"))));
  EXPECT_EQ(read_shards(reply, kAskedNode)->ranges[0].master.host, "10.0.0.3");
}

TEST(SlotLayout, AnUnknownHostIsTheOneThatWasAsked) {
  const auto host = [](std::string_view endpoint) {
    const Reply reply = list(shard(list(number(0), number(1)), list(shard_node("master", endpoint))));
    return read_shards(reply, kAskedNode)->ranges[0].master.host;
  };
  EXPECT_EQ(host("?"), "10.0.0.1");
  EXPECT_EQ(host("node.example"), "node.example");
  const Reply slots = list(list(number(0), number(1), list(words(""), number(7005), words("id"))));
  EXPECT_EQ(read_slots(slots, kAskedNode)->ranges[0].master, (HostPort{"10.0.0.9", 7005}));
}

TEST(SlotLayout, SlotsNameTheMasterFirst) {
  const Reply reply = list(list(number(5), number(9), list(words("::1"), number(7005), words("id"), list()),
                                list(words("10.0.0.3"), number(7006), words("id"))));
  const auto layout = read_slots(reply, kAskedNode);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->ranges[0].master, (HostPort{"::1", 7005}));
}

TEST(SlotLayout, WhatIsNoneIsRefused) {
  EXPECT_FALSE(read_shards(number(1), kAskedNode));
  EXPECT_FALSE(read_slots(words("x"), kAskedNode));
  EXPECT_FALSE(read_shards(list(list(words("slots"))), kAskedNode));
  EXPECT_FALSE(read_slots(list(list(number(0), number(1))), kAskedNode));
  EXPECT_FALSE(read_slots(list(list(number(0), number(16384), list(words("h"), number(1)))), kAskedNode));
  EXPECT_FALSE(read_slots(list(list(number(-1), number(5), list(words("h"), number(1)))), kAskedNode));
  // Nobody serves these, as far as can be read.
  EXPECT_TRUE(read_slots(list(list(number(0), number(1), list(words("h"), number(0)))), kAskedNode)->ranges.empty());
}

TEST(Redirect, NamesTheSlotAndThePlace) {
  const Redirect moved = read_redirect(refusal("MOVED 3999 127.0.0.1:6381"), kAskedNode);
  EXPECT_EQ(moved.kind, Redirect::Kind::moved);
  EXPECT_EQ(moved.slot, 3999);
  EXPECT_EQ(moved.place, (HostPort{"127.0.0.1", 6381}));
  EXPECT_EQ(read_redirect(refusal("ASK 1 fe80::1:7000"), kAskedNode).place, (HostPort{"fe80::1", 7000}));
  EXPECT_EQ(read_redirect(refusal("ASK 1 fe80::1:7000"), kAskedNode).kind, Redirect::Kind::ask);
  EXPECT_EQ(read_redirect(refusal("MOVED 1 :7001"), kAskedNode).place, (HostPort{"10.0.0.9", 7001}));
  EXPECT_EQ(read_redirect(refusal("TRYAGAIN Multiple keys"), kAskedNode).kind, Redirect::Kind::try_again);
  EXPECT_EQ(read_redirect(refusal("CLUSTERDOWN Hash slot not served"), kAskedNode).kind, Redirect::Kind::down);
}

TEST(Redirect, WhatIsNoneIsAnErrorLikeAllOthers) {
  for (const char* const text : {"MOVED", "MOVED x", "MOVED 1", "MOVED 99999 h:1", "MOVED 1 h", "MOVED 1 h:0",
                                 "ASK 1 h:99999", "MOVED 1 a b:7", "WRONGTYPE x", "ERR MOVED 1 h:1"}) {
    EXPECT_EQ(read_redirect(refusal(text), kAskedNode).kind, Redirect::Kind::none) << text;
  }
  EXPECT_EQ(read_redirect(words("MOVED 1 h:1"), kAskedNode).kind, Redirect::Kind::none);
}

}  // namespace
}  // namespace dsta::cache::detail
