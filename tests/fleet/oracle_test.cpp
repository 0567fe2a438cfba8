// The oracle finds what it is for, and only that.
#include "oracle.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace dsta::cache::fleet_model {
namespace {

struct FleetOracle : ::testing::Test {
  FleetOracle() { board->beginning = now(); }

  /// What `reader` says of a version that it got.
  std::string verdict(const Oracle& reader, std::size_t of, std::uint64_t version,
                      Stamp::Origin origin = Stamp::loaded) {
    const std::uint64_t before = board->findings;
    const_cast<Oracle&>(reader).saw(reader.reader(of), Stamp{of, version, origin, reader.milliseconds()});
    return board->findings > before ? board->finding[before].title.data() : "";
  }

  const std::unique_ptr<Board> board = std::make_unique<Board>();
  std::uint64_t pending = 0;
  Oracle here{*board, 0, true, [this] { return pending; }};
  Oracle strict{*board, 1, false, [] { return 0; }};
  Oracle other{*board, 2, true, [] { return 0; }};
  const std::size_t plain = cell_of(kind_named("plain"), 0);

  void invalidate() { Oracle::Change(here, Oracle::Change::removal, {plain}).done(); }
};

TEST_F(FleetOracle, ALoadBeforeAnInvalidationIsOutdatedAtOneLevel) {
  invalidate();
  EXPECT_EQ(verdict(strict, plain, 0), "outdated, loaded, no in-process level [plain]");
  EXPECT_EQ(verdict(strict, plain, 1), "");
}

TEST_F(FleetOracle, TheProcessThatInvalidatedSeesItAtOnce) {
  invalidate();
  EXPECT_EQ(verdict(here, plain, 0), "outdated, loaded, own invalidation [plain]");
}

TEST_F(FleetOracle, AnotherProcessMayBeLateButNotForLong) {
  invalidate();
  EXPECT_EQ(verdict(other, plain, 0), "");
  for (Floor& floor : board->cells[plain].floors) {
    if (floor.at != 0) floor.at = floor.at - Oracle::kReportDelay - kMs;
  }
  EXPECT_EQ(verdict(other, plain, 0), "outdated, loaded [plain]");
}

TEST_F(FleetOracle, AnUnconfirmedInvalidationHoldsForItsProcess) {
  pending = 1;
  invalidate();
  EXPECT_EQ(verdict(strict, plain, 0), "");
  EXPECT_EQ(verdict(here, plain, 0), "outdated, loaded, own invalidation [plain]");
  pending = 0;
  here.confirm();
  EXPECT_EQ(verdict(strict, plain, 0), "outdated, loaded, no in-process level [plain]");
}

TEST_F(FleetOracle, AWriteBeforeTheInvalidationIsOutdated) {
  Oracle::Change early(here, Oracle::Change::write, {plain}), late(here, Oracle::Change::write, {plain});
  early.stored(0, 0);
  early.done();
  invalidate();
  EXPECT_EQ(verdict(strict, plain, late.version(), Stamp::written), "") << "it may be stored just now";
  EXPECT_EQ(verdict(strict, plain, early.version(), Stamp::written), "outdated, written, no in-process level [plain]");
}

TEST_F(FleetOracle, AWriteThatWasNotStoredIsNeverSeen) {
  Oracle::Change write(here, Oracle::Change::write, {plain});
  write.stored(0, 1);
  write.done();
  EXPECT_EQ(verdict(strict, plain, write.version(), Stamp::written), "a value that was not stored [plain]");
}

TEST_F(FleetOracle, AValueOfAnotherKeyAndOneFromNowhereAreFound) {
  here.saw(here.reader(plain), Stamp{plain + 1, 0, Stamp::loaded, 0});
  EXPECT_STREQ(board->finding[0].title.data(), "value of another key [plain]");
  EXPECT_EQ(verdict(here, plain, 7), "version from nowhere [plain]");
  EXPECT_EQ(stamp_of(std::string("17|")), std::nullopt);
}

TEST_F(FleetOracle, TwoLoadsAtOnceAreFoundUnlessSomethingChanged) {
  const std::int64_t before = board->beginning = now();
  here.begin_load(plain, 0);
  other.begin_load(plain, 0);
  EXPECT_EQ(board->findings, 1u);
  EXPECT_STREQ(board->finding[0].title.data(), "two loads at once [plain]");
  const std::size_t next = plain + 1;
  here.begin_load(next, 0);
  raise(board->cells[next].changed, before);
  other.begin_load(next, 0);
  EXPECT_EQ(board->findings, 1u);
}

}  // namespace
}  // namespace dsta::cache::fleet_model
