// SPDX-License-Identifier: MIT
// The plot: curves from journals, the script, the choice of runs, and gnuplot itself where it is
// installed.
#include "report/plot.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "journal/tick_json.h"
#include "report/plot_script.h"
#include "report/plot_series.h"
#include "report/program.h"
#include "support/golden.h"
#include "unit/report/example_results.h"
#include "unit/report/example_run.h"

namespace kvpsi {
namespace {

using test::example_results;
using test::example_summary;
using test::example_ticks;
using test::ExampleRun;
using test::kZeroUs;

namespace fs = std::filesystem;

/// A folder that goes with the test.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (fs::temp_directory_path() / "kvpsi_plot_XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~TempFolder() { fs::remove_all(path_); }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string summary_json(const RunSummary& summary) {
  std::ostringstream out;
  out << R"({"schema":"kvpsi.run/1","timing":{"start_us":)" << summary.start_us
      << R"(,"decode_start_us":)" << summary.decode_start_us << R"(,"decode_end_us":)"
      << summary.decode_end_us << R"(},"kv":{"resident_bytes":)" << summary.kv_resident_bytes
      << R"(},"token_t_us":[)";
  for (std::size_t i = 0; i < summary.token_t_us.size(); ++i) {
    out << (i == 0 ? "" : ",") << summary.token_t_us[i];
  }
  out << "]}";
  return out.str();
}

void write_run(const std::string& folder, Trial& trial, const ExampleRun& run) {
  const std::string stem = std::to_string(trial.trial) + "-" + std::string(name(trial.variant));
  trial.journal = "journal-" + stem + ".jsonl";
  trial.summary = "run-" + stem + ".json";
  std::string lines;
  for (const Tick& tick : example_ticks(run)) lines += tick_to_json(tick) + "\n";
  write_file(folder + "/" + trial.journal, lines);
  write_file(folder + "/" + trial.summary, summary_json(example_summary(run)));
}

BenchResults write_runs(const std::string& folder) {
  BenchResults results = example_results();
  for (Trial& trial : results.trials) {
    const bool governed = trial.variant == Variant::psi;
    write_run(folder, trial,
              {.tok_s = trial.tok_s,
               .stall = trial.variant == Variant::fixed ? 0.4 : 0.0,
               .kv_mib = governed ? 52.0 : 180.0,
               .pools = governed,
               .trim_at_s = trial.tokens_trimmed > 0 || trial.trial == 3 ? 1.0 : -1.0});
  }
  return results;
}

std::string installed_gnuplot() {
  const char* path = std::getenv("PATH");
  return find_program("gnuplot", path != nullptr ? path : "").value_or("");
}

TEST(PlotSeries, MemoryByKindAddsUpToWhatIsResident) {
  const ExampleRun run;
  const auto ticks = example_ticks(run);
  const PlotSeries series = make_series(ticks, example_summary(run));
  ASSERT_EQ(series.memory.size(), ticks.size());
  const MemoryPoint& last = series.memory.back();
  EXPECT_NEAR(last.kv_mib, 52, 0.01);
  EXPECT_NEAR(last.scratch_mib, 0.3, 0.01);
  EXPECT_NEAR(last.other_mib, 18, 0.01);
  EXPECT_NEAR(last.weights_mib, 96, 0.01);
  EXPECT_FALSE(series.kv_from_summary);
}

TEST(PlotSeries, StallShareIsTakenOverHalfASecond) {
  std::vector<Tick> ticks(21);
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    Sample& sample = ticks[i].observation.sample;
    sample.t_us = kZeroUs + i * 100'000;
    sample.psi_own = PsiTotals{i * 25'000, 0};
  }
  const PlotSeries series = make_series(ticks, {.decode_start_us = kZeroUs, .token_t_us = {}});
  EXPECT_FALSE(series.memory[4].stall_pct);
  ASSERT_TRUE(series.memory[5].stall_pct);
  EXPECT_NEAR(*series.memory[20].stall_pct, 25, 0.01);
}

TEST(PlotSeries, AbsentPsiIsNoZero) {
  std::vector<Tick> ticks(20);
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    ticks[i].observation.sample.t_us = kZeroUs + i * 100'000;
  }
  const PlotSeries series = make_series(ticks, {.decode_start_us = kZeroUs, .token_t_us = {}});
  for (const MemoryPoint& point : series.memory) EXPECT_FALSE(point.stall_pct);
  EXPECT_NE(memory_tsv(series).find("\tnan\t"), std::string::npos);
}

TEST(PlotSeries, StockRunTakesItsKvFromTheSummary) {
  const ExampleRun run{.kv_mib = 180, .pools = false};
  const PlotSeries series = make_series(example_ticks(run), example_summary(run));
  EXPECT_TRUE(series.kv_from_summary);
  EXPECT_NEAR(series.memory.back().kv_mib, 180, 0.01);
}

TEST(PlotSeries, TokensPerSecondCountAllTokensOnce) {
  const ExampleRun run{.seconds = 8, .tok_s = 20};
  const RunSummary summary = example_summary(run);
  const PlotSeries series = make_series({}, summary);
  ASSERT_EQ(series.tokens.size(), 8U);
  double tokens = 0;
  for (const TokenPoint& point : series.tokens) tokens += point.tok_s;
  EXPECT_NEAR(tokens, static_cast<double>(summary.token_t_us.size()), 1e-6);
}

TEST(PlotSeries, ActionsCarryBytesAndTokens) {
  const ExampleRun run{.trim_at_s = 1};
  const PlotSeries series = make_series(example_ticks(run), example_summary(run));
  ASSERT_EQ(series.actions.size(), 1U);
  EXPECT_NEAR(series.actions[0].released_mib, 34, 0.01);
  EXPECT_EQ(series.actions[0].tokens_trimmed, 1500U);
}

TEST(RunSummary, RefusesOtherSchemasAndCutFiles) {
  EXPECT_FALSE(parse_run_summary(R"({"schema":"kvpsi.bench/1"})"));
  const std::string whole = summary_json(example_summary({}));
  EXPECT_TRUE(parse_run_summary(whole));
  for (std::size_t cut = 0; cut < whole.size(); cut += 37) {
    EXPECT_FALSE(parse_run_summary(whole.substr(0, cut))) << cut;
  }
}

TEST(Plot, PicksTheMedianRun) {
  BenchResults results;
  for (const double speed : {3.0, 1.0, 2.0, 9.0}) {
    Trial trial = test::example_trial(1, Squeeze::s1, Order::random, 0, Variant::psi, speed);
    trial.journal = "j";
    trial.summary = "s";
    results.trials.push_back(trial);
  }
  EXPECT_EQ(median_trial(results, Squeeze::s1, Variant::psi)->tok_s, 2.0);
  results.trials[2].exit = "oom-killed";
  EXPECT_EQ(median_trial(results, Squeeze::s1, Variant::psi)->tok_s, 3.0);
  EXPECT_EQ(median_trial(results, Squeeze::s2, Variant::psi), nullptr);
}

TEST(Plot, ScriptIsAsExpected) {
  TempFolder folder;
  const auto files = write_plot(write_runs(folder.path()),
                                {.out_dir = folder.path(), .base_name = "plot", .gnuplot = ""});
  ASSERT_TRUE(files) << describe(files.error());
  test::expect_golden("unit/report/golden/plot.gp", read_file(folder.path() + "/plot.gp"));
}

TEST(Plot, WithoutGnuplotTheScriptStaysAndANoteSaysHow) {
  TempFolder folder;
  const auto files = write_plot(write_runs(folder.path()),
                                {.out_dir = folder.path(), .base_name = "plot", .gnuplot = ""});
  ASSERT_TRUE(files);
  EXPECT_TRUE(files->pictures.empty());
  ASSERT_EQ(files->notes.size(), 1U);
  EXPECT_NE(files->notes[0].find("apt-get install gnuplot-nox"), std::string::npos);
}

TEST(Plot, GnuplotDrawsBothPictures) {
  const std::string gnuplot = installed_gnuplot();
  if (gnuplot.empty()) GTEST_SKIP() << "gnuplot is not installed";
  TempFolder folder;
  const auto files =
      write_plot(write_runs(folder.path()),
                 {.out_dir = folder.path(), .base_name = "plot", .gnuplot = gnuplot});
  ASSERT_TRUE(files) << describe(files.error());
  ASSERT_EQ(files->pictures.size(), 2U) << files->notes.at(0);
  EXPECT_NE(read_file(files->pictures[0]).find("</svg>"), std::string::npos);
  EXPECT_TRUE(read_file(files->pictures[1]).starts_with("\x89PNG"));
  EXPECT_TRUE(files->notes.empty());
}

TEST(Plot, HostileTitlesDoNotBreakTheScript) {
  const std::string gnuplot = installed_gnuplot();
  if (gnuplot.empty()) GTEST_SKIP() << "gnuplot is not installed";
  TempFolder folder;
  BenchResults results = write_runs(folder.path());
  results.context.model = "it's {a \"model\"} `x`\n^_@.gguf";
  const auto files =
      write_plot(results, {.out_dir = folder.path(), .base_name = "plot", .gnuplot = gnuplot});
  ASSERT_TRUE(files);
  EXPECT_EQ(files->pictures.size(), 2U) << (files->notes.empty() ? "" : files->notes[0]);
}

TEST(Plot, FailingGnuplotIsANoteAndNoFailure) {
  TempFolder folder;
  const auto files =
      write_plot(write_runs(folder.path()),
                 {.out_dir = folder.path(), .base_name = "plot", .gnuplot = "/bin/false"});
  ASSERT_TRUE(files);
  EXPECT_TRUE(files->pictures.empty());
  EXPECT_NE(files->notes.back().find("gnuplot failed"), std::string::npos);
}

TEST(Plot, MissingAndCutRecordsAreLeftOutByName) {
  TempFolder folder;
  const BenchResults results = write_runs(folder.path());
  fs::remove(folder.path() + "/" + results.trials[0].journal);
  fs::resize_file(folder.path() + "/" + results.trials[1].summary, 40);
  const auto files =
      write_plot(results, {.out_dir = folder.path(), .base_name = "plot", .gnuplot = ""});
  ASSERT_TRUE(files);
  EXPECT_NE(files->notes.at(0).find("S1 unsqueezed is not drawn"), std::string::npos);
  EXPECT_NE(files->notes.at(1).find("S1 fixed is not drawn"), std::string::npos);
}

TEST(Plot, KilledRunKeepsItsPlace) {
  TempFolder folder;
  BenchResults results = write_runs(folder.path());
  for (Trial& trial : results.trials) {
    if (trial.squeeze != Squeeze::s2 || trial.variant != Variant::fixed) continue;
    trial.exit = "oom-killed";
    trial.summary.clear();
  }
  const auto files = write_plot(
      results, {.out_dir = folder.path(), .base_name = "plot", .gnuplot = installed_gnuplot()});
  ASSERT_TRUE(files);
  const std::string script = read_file(folder.path() + "/plot.gp");
  EXPECT_NE(script.find("'oom-killed'"), std::string::npos);
  EXPECT_NE(script.find("plot NaN"), std::string::npos);
  EXPECT_EQ(files->pictures.size(), installed_gnuplot().empty() ? 0U : 2U);
}

TEST(Plot, NothingToDrawIsANote) {
  const auto files = write_plot(example_results(), {.out_dir = "/nonexistent", .gnuplot = ""});
  ASSERT_TRUE(files);
  EXPECT_TRUE(files->data.empty());
  EXPECT_EQ(files->notes.size(), 1U);
}

TEST(Program, FindsRunsAndTimesOut) {
  EXPECT_EQ(find_program("sh", "/nonexistent:/bin"), "/bin/sh");
  EXPECT_EQ(find_program("no-such-program", "/bin"), std::nullopt);
  const auto end = run_program("/bin/sh", {"-c", "pwd; echo no >&2; exit 4"}, "/", 5'000'000);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->exit_code, 4);
  EXPECT_EQ(end->output, "/\nno\n");
  const auto slow = run_program("/bin/sh", {"-c", "exec sleep 30"}, "/", 100'000);
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, ErrorCode::exhausted);
  EXPECT_FALSE(run_program("/nonexistent/program", {}, "/", 1'000'000));
}

}  // namespace
}  // namespace kvpsi
