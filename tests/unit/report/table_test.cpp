// SPDX-License-Identifier: MIT
// table.txt: the whole text against golden files, and the promises that matter one by one.
#include "report/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "report/table_rows.h"
#include "report/text_grid.h"
#include "support/golden.h"
#include "unit/report/example_results.h"

namespace kvpsi {
namespace {

using test::example_results;

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    widest = std::max(widest, display_width(line));
  }
  return widest;
}

TEST(Table, WholeTextIsAsExpected) {
  test::expect_golden("unit/report/golden/table.txt", render_table(example_results()));
}

TEST(Table, NarrowTextIsAsExpected) {
  test::expect_golden("unit/report/golden/table_80.txt",
                      render_table(example_results(), {.columns = 80, .colour = false}));
}

TEST(Table, FitsEveryUsualWidth) {
  for (const std::size_t columns : {60U, 80U, 100U, 120U}) {
    EXPECT_LE(widest_line(render_table(example_results(), {.columns = columns, .colour = false})),
              columns);
  }
}

TEST(Table, ColumnsOfTheReferenceProjectComeFirst) {
  const std::string table = render_table(example_results());
  std::size_t at = 0;
  for (const char* column :
       {"run", "variant", "decoded", "tok/s", "prunes", "KV", "some %", "full %"}) {
    at = table.find(column, at);
    ASSERT_NE(at, std::string::npos) << column;
  }
}

TEST(Table, ContradictingVerdictIsPrinted) {
  const std::string table = render_table(example_results());
  EXPECT_NE(table.find("contradicted: psi is slower than fixed"), std::string::npos);
  EXPECT_NE(table.find("inconclusive: one pair only"), std::string::npos);
}

TEST(Table, AbsentPressureIsSaidInsteadOfATie) {
  BenchResults results = example_results();
  results.context.squeezes[0].pressure_arose = false;
  EXPECT_NE(render_table(results).find("no memory pressure arose"), std::string::npos);
}

TEST(Table, CutRunSaysHowManyAreThere) {
  BenchResults results = example_results();
  results.context.complete = false;
  results.context.trials_planned = 20;
  EXPECT_NE(render_table(results).find("cut short: 7 of 20"), std::string::npos);
}

TEST(Table, EmptyResultsAreNoFailure) {
  EXPECT_NE(render_table(BenchResults{}).find("no run has ended yet"), std::string::npos);
}

TEST(Table, ColourOnlyWhereAsked) {
  EXPECT_EQ(render_table(example_results()).find('\x1b'), std::string::npos);
  EXPECT_NE(render_table(example_results(), {.columns = 0, .colour = true}).find("\x1b[31m"),
            std::string::npos);
}

TEST(Table, TrialsOfASqueezeWithoutContextStillShow) {
  BenchResults results = example_results();
  results.context.squeezes.clear();
  EXPECT_NE(render_table(results).find("oom-killed"), std::string::npos);
}

TEST(Table, AccountsForTenantsAndTheirTurns) {
  BenchResults results = example_results();
  results.context.squeezes[1].squeeze = Squeeze::s3;
  results.context.squeezes[1].tenants = 4;
  results.context.squeezes[1].then_tokens = 32;
  results.trials.clear();
  test::add_s3_trials(results.trials);
  results.context.squeezes.erase(results.context.squeezes.begin());
  test::expect_golden("unit/report/golden/table_s3.txt", render_table(results));
}

TEST(Table, NoAccountWhereNothingLeft) {
  BenchResults results = example_results();
  EXPECT_EQ(render_account(results, Squeeze::s1, {}), "");
  EXPECT_NE(render_account(results, Squeeze::s2, {}).find("1680"), std::string::npos);
}

TEST(TextGrid, WidthCountsCodePoints) {
  EXPECT_EQ(display_width("µs"), 2U);
  EXPECT_EQ(display_width("≥ 1"), 3U);
}

TEST(TextGrid, AlignsUtf8AndTrimsLineEnds) {
  TextGrid grid({{"", "a", Align::left}, {"", "b"}});
  grid.add_row({{"µ"}, {"1"}});
  grid.add_row({{"xx"}, {"22"}});
  EXPECT_EQ(grid.render(0, 1, false), "a    b\nµ    1\nxx  22\n");
}

TEST(TextGrid, WrapsAtSpacesWithIndent) {
  EXPECT_EQ(wrap_text("one two three", 9, 2), (std::vector<std::string>{"  one two", "  three"}));
  EXPECT_EQ(wrap_text("", 10, 1), std::vector<std::string>{" "});
}

}  // namespace
}  // namespace kvpsi
