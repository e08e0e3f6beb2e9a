// SPDX-License-Identifier: MIT
// Text from outside, printed without harm and quoted for a shell.
#include "base/printable.h"

#include <gtest/gtest.h>

namespace kvpsi {
namespace {

TEST(Printable, KeepsWhatIsHarmless) {
  for (const char* text : {"", "a b/c.json", "käse 漢字 🧀", "back\\slash"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, ShowsControlCharactersAndBrokenBytes) {
  EXPECT_EQ(printable("a\033[31mb\nc\td\x7f"), "a\\x1b[31mb\\nc\\td\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b") << "C1: a control sequence of 8 bits";
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc0\x8a \xed\xa0\x80"), "\\xc0\\x8a \\xed\\xa0\\x80")
      << "overlong, surrogate";
}

TEST(ShellWord, IsQuotedAsMuchAsNeeded) {
  EXPECT_EQ(shell_word("scenarios/own_1.json"), "scenarios/own_1.json");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("two words"), "'two words'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("it's\n\\"), "$'it\\'s\\n\\\\'");
}

}  // namespace
}  // namespace kvpsi
