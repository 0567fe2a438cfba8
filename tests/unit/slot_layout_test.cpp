#include "l2/topology/slot_layout.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "replies.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::array_reply;
using testing_support::error_reply;
using testing_support::number_reply;
using testing_support::text_reply;

const AskedNode kAskedNode{.place = {.host = "10.0.0.9", .port = 7000}};
const AskedNode kAskedByTls{.place = {.host = "10.0.0.9", .port = 7000}, .tls = true};

Reply shard_node(std::string_view role, std::string_view endpoint, std::string_view health = "online") {
  return array_reply(text_reply("id"), text_reply("x"), text_reply("port"), number_reply(7001), text_reply("tls-port"),
                     number_reply(8001), text_reply("ip"), text_reply("10.0.0.1"), text_reply("endpoint"),
                     text_reply(std::string(endpoint)), text_reply("role"), text_reply(std::string(role)),
                     text_reply("health"), text_reply(std::string(health)));
}
Reply shard(Reply slots, Reply nodes) {
  return array_reply(text_reply("slots"), std::move(slots), text_reply("nodes"), std::move(nodes));
}

TEST(SlotLayout, ShardsNameTheMasterOfEachRange) {
  const Reply reply =
      array_reply(shard(array_reply(number_reply(0), number_reply(10), number_reply(20), text_reply("30")),
                        array_reply(shard_node("replica", "10.0.0.3"), shard_node("master", "10.0.0.2"))),
                  shard(array_reply(), array_reply(shard_node("master", "10.0.0.4"))));
  const auto layout = read_shards(reply, kAskedNode);
  ASSERT_TRUE(layout);
  ASSERT_EQ(layout->ranges.size(), 2u);
  EXPECT_EQ(layout->ranges[0].master, (HostPort{"10.0.0.2", 7001}));
  EXPECT_EQ(layout->ranges[1].first, 20);
  EXPECT_EQ(layout->ranges[1].last, 30);
  EXPECT_EQ(read_shards(reply, kAskedByTls)->ranges[0].master.port, 8001);
}

TEST(SlotLayout, AMasterThatFailedGivesWayToTheOneThatRuns) {
  const Reply reply = array_reply(
      shard(array_reply(number_reply(0), number_reply(1)),
            array_reply(shard_node("master", "10.0.0.2", "fail"), shard_node("master", "10.0.0.3", "online"))));
  EXPECT_EQ(read_shards(reply, kAskedNode)->ranges[0].master.host, "10.0.0.3");
}

TEST(SlotLayout, AnUnknownHostIsTheOneThatWasAsked) {
  const auto host = [](std::string_view endpoint) {
    const Reply reply =
        array_reply(shard(array_reply(number_reply(0), number_reply(1)), array_reply(shard_node("master", endpoint))));
    return read_shards(reply, kAskedNode)->ranges[0].master.host;
  };
  EXPECT_EQ(host("?"), "10.0.0.1");
  EXPECT_EQ(host("node.example"), "node.example");
  const Reply slots = array_reply(
      array_reply(number_reply(0), number_reply(1), array_reply(text_reply(""), number_reply(7005), text_reply("id"))));
  EXPECT_EQ(read_slots(slots, kAskedNode)->ranges[0].master, (HostPort{"10.0.0.9", 7005}));
}

TEST(SlotLayout, SlotsNameTheMasterFirst) {
  const Reply reply =
      array_reply(array_reply(number_reply(5), number_reply(9),
                              array_reply(text_reply("::1"), number_reply(7005), text_reply("id"), array_reply()),
                              array_reply(text_reply("10.0.0.3"), number_reply(7006), text_reply("id"))));
  const auto layout = read_slots(reply, kAskedNode);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->ranges[0].master, (HostPort{"::1", 7005}));
}

TEST(SlotLayout, WhatIsNoneIsRefused) {
  EXPECT_FALSE(read_shards(number_reply(1), kAskedNode));
  EXPECT_FALSE(read_slots(text_reply("x"), kAskedNode));
  EXPECT_FALSE(read_shards(array_reply(array_reply(text_reply("slots"))), kAskedNode));
  EXPECT_FALSE(read_slots(array_reply(array_reply(number_reply(0), number_reply(1))), kAskedNode));
  EXPECT_FALSE(read_slots(
      array_reply(array_reply(number_reply(0), number_reply(16384), array_reply(text_reply("h"), number_reply(1)))),
      kAskedNode));
  EXPECT_FALSE(read_slots(
      array_reply(array_reply(number_reply(-1), number_reply(5), array_reply(text_reply("h"), number_reply(1)))),
      kAskedNode));
  // Nobody serves these, as far as can be read.
  EXPECT_TRUE(read_slots(array_reply(array_reply(number_reply(0), number_reply(1),
                                                 array_reply(text_reply("h"), number_reply(0)))),
                         kAskedNode)
                  ->ranges.empty());
}

TEST(Redirect, NamesTheSlotAndThePlace) {
  const Redirect moved = read_redirect(error_reply("MOVED 3999 127.0.0.1:6381"), kAskedNode);
  EXPECT_EQ(moved.kind, Redirect::Kind::moved);
  EXPECT_EQ(moved.slot, 3999);
  EXPECT_EQ(moved.place, (HostPort{"127.0.0.1", 6381}));
  EXPECT_EQ(read_redirect(error_reply("ASK 1 fe80::1:7000"), kAskedNode).place, (HostPort{"fe80::1", 7000}));
  EXPECT_EQ(read_redirect(error_reply("ASK 1 fe80::1:7000"), kAskedNode).kind, Redirect::Kind::ask);
  EXPECT_EQ(read_redirect(error_reply("MOVED 1 :7001"), kAskedNode).place, (HostPort{"10.0.0.9", 7001}));
  EXPECT_EQ(read_redirect(error_reply("TRYAGAIN Multiple keys"), kAskedNode).kind, Redirect::Kind::try_again);
  EXPECT_EQ(read_redirect(error_reply("CLUSTERDOWN Hash slot not served"), kAskedNode).kind, Redirect::Kind::down);
}

TEST(Redirect, WhatIsNoneIsAnErrorLikeAllOthers) {
  for (const char* const text : {"MOVED", "MOVED x", "MOVED 1", "MOVED 99999 h:1", "MOVED 1 h", "MOVED 1 h:0",
                                 "ASK 1 h:99999", "MOVED 1 a b:7", "WRONGTYPE x", "ERR MOVED 1 h:1"}) {
    EXPECT_EQ(read_redirect(error_reply(text), kAskedNode).kind, Redirect::Kind::none) << text;
  }
  EXPECT_EQ(read_redirect(text_reply("MOVED 1 h:1"), kAskedNode).kind, Redirect::Kind::none);
}

}  // namespace
}  // namespace dsta::cache::detail
