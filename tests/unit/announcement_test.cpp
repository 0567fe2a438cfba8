// What processes tell each other where the server reports no changes: it is read as it was written, and what cannot be
// read is not taken for nothing.
#include "l2/tracking/announcement.hpp"

#include <gtest/gtest.h>

#include <string>

namespace dsta::cache::detail {
namespace {

using Kind = Announcement::Kind;

TEST(AnnouncementTest, IsReadAsItWasWritten) {
  AnnouncementText text("me");
  const std::string binary("dsta:\x01n:\0:k7:x", 15);
  text.add(Kind::key, binary).add(Kind::glob, "api:*").add(Kind::probe, "").add(Kind::key, "dsta:b");
  const auto read = read_announcement(text.text());
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->unknown);
  EXPECT_EQ(read->sender, "me");
  ASSERT_EQ(read->items.size(), 4u);
  EXPECT_EQ(read->items[0].kind, Kind::key);
  EXPECT_EQ(read->items[0].text, binary);
  EXPECT_EQ(read->items[1].kind, Kind::glob);
  EXPECT_EQ(read->items[1].text, "api:*");
  EXPECT_EQ(read->items[2].kind, Kind::probe);
  EXPECT_EQ(read->items[3].text, "dsta:b");
}

TEST(AnnouncementTest, TheFormatIsPublic) {
  EXPECT_EQ(AnnouncementText("p").add(Kind::key, "dsta:a").add(Kind::glob, "x*").text(),
            "dsta-changes/1 s1:pk6:dsta:ag2:x*");
}

TEST(AnnouncementTest, WhatAStrangerPublishesIsNone) {
  for (const char* text : {"", "hello", "dsta-change", "{\"key\":1}"}) EXPECT_FALSE(read_announcement(text)) << text;
}

TEST(AnnouncementTest, WhatCannotBeReadMayHaveChangedAnything) {
  const std::string whole = AnnouncementText("me").add(Kind::key, "dsta:a").text();
  for (std::size_t size = whole.find('/') + 1; size < whole.size(); ++size) {
    if (size == whole.find('k')) continue;  // nothing of it is missing but the key
    const auto read = read_announcement(whole.substr(0, size));
    ASSERT_TRUE(read) << size;
    EXPECT_TRUE(read->unknown) << whole.substr(0, size);
  }
  for (const char* text : {"dsta-changes/2 whatever", "dsta-changes/1 k1:a", "dsta-changes/1 s1:pz1:a",
                           "dsta-changes/1 s1:pk9999999999999999999999:a", "dsta-changes/1 s1:pk-1:a"}) {
    const auto read = read_announcement(text);
    ASSERT_TRUE(read) << text;
    EXPECT_TRUE(read->unknown) << text;
  }
}

}  // namespace
}  // namespace dsta::cache::detail
