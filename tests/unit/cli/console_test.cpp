// SPDX-License-Identifier: MIT
// The parts of the console that need no terminal.
#include "cli/console.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace kvpsi {
namespace {

TEST(ProgressBar, FillsAndClamps) {
  EXPECT_EQ(progress_bar(0, 4), "[....]   0 %");
  EXPECT_EQ(progress_bar(0.5, 4), "[##..]  50 %");
  EXPECT_EQ(progress_bar(7, 4), "[####] 100 %");
}

TEST(Paint, DoesNothingWithoutColour) {
  EXPECT_EQ(paint(Colour::red, "x", false), "x");
  EXPECT_EQ(paint(Colour::red, "x", true), "\x1b[31mx\x1b[0m");
}

TEST(ColumnAfter, WrapsAtTheRightMarginAndMarksAFullLine) {
  EXPECT_EQ(column_after("abc", 0, 10), 3U);
  EXPECT_EQ(column_after("abc", 7, 10), 10U);
  EXPECT_EQ(column_after("abcd", 7, 10), 1U);
  EXPECT_EQ(column_after("abc\nde", 7, 10), 2U);
  EXPECT_EQ(column_after("", 4, 10), 4U);
}

TEST(ColumnAfter, CountsWideCharactersTwice) {
  EXPECT_EQ(column_after("\xE6\x97\xA5\xE6\x9C\xAC", 0, 10), 4U);
  EXPECT_EQ(column_after("\xE6\x97\xA5", 9, 10), 2U);
  EXPECT_EQ(column_after("\xC3\xA4", 0, 10), 1U);
  EXPECT_EQ(column_after("\xF0\x9F\x98\x80", 0, 10), 2U);
}

TEST(StatusLine, AwayFromATerminalTheFirstLineWaitsToo) {
  if (is_terminal(STDERR_FILENO)) GTEST_SKIP() << "stderr is a terminal";
  StatusLine line(false, 1000, 1000);
  EXPECT_FALSE(line.due(5000));
  EXPECT_FALSE(line.due(5500));
  EXPECT_TRUE(line.due(6000));
}

TEST(StatusLine, QuietIsNeverDue) {
  StatusLine line(true, 1000, 1000);
  EXPECT_FALSE(line.due(5000));
  EXPECT_FALSE(line.due(9000));
}

}  // namespace
}  // namespace kvpsi
