// SPDX-License-Identifier: MIT
// Streaming text: stop strings across token borders, characters cut by tokens.
#include "llama/text_stream.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "llama/prompt.h"

namespace kvpsi {
namespace {

/// All that is shown of `pieces`, the end included.
std::string stream(std::vector<std::string> stops, const std::vector<std::string>& pieces) {
  TextStream text(std::move(stops));
  std::string shown;
  for (const std::string& piece : pieces) shown += text.push(piece);
  return shown + text.finish();
}

TEST(TextStream, ShowsPiecesAtOnceWithoutStops) {
  TextStream text({});
  EXPECT_EQ(text.push("Hello"), "Hello");
  EXPECT_EQ(text.push(" world"), " world");
  EXPECT_FALSE(text.stopped());
}

TEST(TextStream, StopsAcrossTokenBordersAndShowsOnlyWhatStandsBefore) {
  TextStream text({"END"});
  EXPECT_EQ(text.push("one E"), "one ");
  EXPECT_EQ(text.push("N"), "");
  EXPECT_EQ(text.push("D two"), "");
  EXPECT_TRUE(text.stopped());
  EXPECT_EQ(text.push("three"), "");
  EXPECT_EQ(text.finish(), "");
}

TEST(TextStream, GivesBackWhatOnlyLookedLikeAStop) {
  EXPECT_EQ(stream({"END"}, {"E", "N", "T", "ER"}), "ENTER");
  EXPECT_EQ(stream({"aab"}, {"a", "a", "a", "b", "c"}), "a");
}

TEST(TextStream, TakesTheEarliestOfSeveralStops) {
  EXPECT_EQ(stream({"world", "lo"}, {"Hello world"}), "Hel");
}

TEST(TextStream, IgnoresEmptyStops) { EXPECT_EQ(stream({""}, {"a", "b"}), "ab"); }

TEST(TextStream, HoldsAnIncompleteCharacterUntilItIsWhole) {
  TextStream text({});
  EXPECT_EQ(text.push("a\xE2\x82"), "a");
  EXPECT_EQ(text.push("\xAC!"), "\xE2\x82\xAC!");
}

TEST(TextStream, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(stream({}, {"a\xFF", "b"}),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(stream({}, {"a\xE2\x82"}), "a\xEF\xBF\xBD");
}

TEST(ReplaceInvalidUtf8, RefusesOverlongFormsAndSurrogates) {
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x98\x80"), "\xF0\x9F\x98\x80");
  EXPECT_NE(replace_invalid_utf8("\xE0\x80\x80"), "\xE0\x80\x80");
  EXPECT_NE(replace_invalid_utf8("\xED\xA0\x80"), "\xED\xA0\x80");
  EXPECT_NE(replace_invalid_utf8("\xC0\xAF"), "\xC0\xAF");
}

TEST(SelectTokens, KeepsTheHeadAndTheTail) {
  const std::vector<Token> tokens{0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(select_tokens(tokens, 2, 5), (std::vector<Token>{0, 1, 5, 6, 7}));
  EXPECT_EQ(select_tokens(tokens, 2, 8), tokens);
  EXPECT_EQ(select_tokens(tokens, 3, 3), (std::vector<Token>{0, 1, 2}));
}

}  // namespace
}  // namespace kvpsi
