// SPDX-License-Identifier: MIT
// The picture of a simulated run: the curves, the script, and what is said when it cannot be drawn.
#include "report/sim_plot.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/bytes.h"

namespace kvpsi {
namespace {

SimTrace half_stalled(double duration_s) {
  SimTrace trace(duration_s);
  const auto steps = static_cast<std::uint64_t>(duration_s * 50);
  for (std::uint64_t i = 1; i <= steps; ++i) {
    if (i == 10) {
      Tick tick;
      tick.decision.level = Level::high;
      trace.on_tick(tick);
    }
    trace.on_instant(
        {.scenario_us = i * 20'000,
         .dt_us = 20'000,
         .own_stall_us = i % 2 == 0 ? 20'000u : 0u,
         .kv_live_bytes = 10 * kMiB,
         .kv_context_bytes = 64 * kMiB,
         .headroom_bytes = i == 20 ? -static_cast<std::int64_t>(kMiB) : 5 * 1024 * 1024,
         .budget_bytes = UINT64_MAX});
  }
  return trace;
}

TEST(SimTrace, SumsSharesAndKeepsExtremes) {
  const SimTrace trace = half_stalled(20);
  ASSERT_GE(trace.points().size(), 70u);
  const SimPoint& first = trace.points().front();
  EXPECT_NEAR(first.own_stall_pct, 50, 8);
  EXPECT_EQ(first.kv_live_mib, 10);
  EXPECT_EQ(first.budget_mib, 64) << "unbounded is the whole cache";
  EXPECT_EQ(first.level, static_cast<int>(Level::high));
  EXPECT_EQ(trace.points()[1].headroom_mib, -1) << "the least counts";
  EXPECT_EQ(trace.points()[5].headroom_mib, 5);
}

TEST(SimTrace, LongRunsAreThinned) { EXPECT_LE(half_stalled(3'000).points().size(), 1'100u); }

SimPlotPage example_page() {
  return {.title = "a'b {c}",
          .subtitle = "what happens",
          .duration_s = 20,
          .relief_s = 12.5,
          .columns = {{"kvpsi", "own stall 1.0 s", half_stalled(20).points(), false},
                      {"none", "own stall 9.0 s", half_stalled(20).points(), true}}};
}

TEST(SimPlot, ScriptNamesAxesUnitsAndRelief) {
  const std::string script = sim_plot_script(example_page(), false, "/the/output");
  for (const char* part : {"'stall, %'", "'headroom, MiB'", "'KV, MiB'", "'time, s'", "'level'",
                           "'a''b (c)'", "from 12.5,graph 0", "'relief'", "' killed' at ",
                           "'what happens'", "pngcairo", "$run1", "set output '/the/output'\n"}) {
    EXPECT_NE(script.find(part), std::string::npos) << part;
  }
  SimPlotPage page = example_page();
  page.relief_s.reset();
  page.columns[0].points[0].headroom_mib = 20'000;
  page.columns[0].points[0].kv_live_mib = 64'000;
  page.columns.pop_back();
  const std::string other = sim_plot_script(page, true, "o");
  EXPECT_EQ(other.find("relief"), std::string::npos);
  EXPECT_NE(other.find("'headroom, GiB'"), std::string::npos);
  EXPECT_NE(other.find("'KV, GiB'"), std::string::npos);
  EXPECT_EQ(other.find("killed"), std::string::npos);
  EXPECT_NE(other.find("set terminal svg"), std::string::npos);
}

TEST(SimPlot, OnlySvgAndPngAreNamesOfPictures) {
  EXPECT_TRUE(is_picture_name("a/b.svg"));
  EXPECT_TRUE(is_picture_name("b.png"));
  EXPECT_FALSE(is_picture_name("b.pdf"));
  EXPECT_FALSE(is_picture_name("svg"));
}

TEST(SimPlot, SaysWhatGnuplotSaidAndWhatCannotBeWritten) {
  const std::string folder = testing::TempDir() + "kvpsi_sim_plot_" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  const auto write_program = [&folder](const std::string& text) {
    const std::string path = folder + "/gnuplot";
    std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
    ::chmod(path.c_str(), 0755);
    return path;
  };
  const auto broken = write_sim_plot(example_page(), folder + "/p.png",
                                     write_program("echo no such terminal >&2; exit 3"));
  ASSERT_FALSE(broken);
  EXPECT_NE(describe(broken.error()).find("no such terminal"), std::string::npos);
  const auto mute = write_sim_plot(example_page(), folder + "/p.png", write_program("exit 0"));
  ASSERT_FALSE(mute) << "nothing was drawn";
  EXPECT_FALSE(std::filesystem::exists(folder + "/p.png"));
  // Draws its script.
  const std::string good =
      write_program("cat \"$1\" >\"$(sed -n \"s/^set output '\\(.*\\)'$/\\1/p\" \"$1\")\"");
  ASSERT_TRUE(write_sim_plot(example_page(), folder + "/p.png", good));
  std::stringstream drawn;
  drawn << std::ifstream(folder + "/p.png").rdbuf();
  EXPECT_TRUE(drawn.str().ends_with("unset multiplot\nset output\n"));
  EXPECT_GT(drawn.str().size(), 1000u);
  const auto nowhere = write_sim_plot(example_page(), folder + "/absent/p.png", good);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().path, folder + "/absent/p.png");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace kvpsi
