// SPDX-License-Identifier: MIT
// See cmd_bench_screen.h.
#include "cli/cmd_bench_screen.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "base/bytes.h"
#include "base/clock.h"
#include "report/plot.h"
#include "report/program.h"
#include "report/table.h"

namespace kvpsi {
namespace {

std::string describe_trial(const Trial& trial) {
  std::string text =
      fmt::format("{} trial {} {:<12} {:>5} tokens {:>6.1f} tok/s", name(trial.squeeze),
                  trial.trial, name(trial.variant), trial.decoded, trial.tok_s);
  if (trial.own_psi) text += fmt::format(", own stall {:.1f} %", trial.own_psi->some_pct);
  if (trial.external_psi) text += fmt::format(", around {:.1f} %", trial.external_psi->some_pct);
  if (trial.tokens_trimmed > 0) text += fmt::format(", {} trimmed", trial.tokens_trimmed);
  if (trial.tokens_lost + trial.tokens_out > 0) {
    text += fmt::format(" ({} not back)", trial.tokens_lost + trial.tokens_out);
  }
  if (trial.spilled_bytes > 0) text += ", spilled " + format_bytes(trial.spilled_bytes);
  if (trial.exit != "ok") text += ", " + trial.exit;
  return text;
}

std::string minutes(double seconds) {
  return seconds < 90 ? fmt::format("{:.0f} s", seconds) : fmt::format("{:.0f} min", seconds / 60);
}

Result<void> write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.flush();
  if (!file) return fail(ErrorCode::io, "cannot write", path, errno);
  return {};
}

PlotFiles draw(const BenchResults& results, const std::string& out_dir) {
  const char* search_path = std::getenv("PATH");
  const auto gnuplot = find_program("gnuplot", search_path != nullptr ? search_path : "");
  auto plot = write_plot(results, {.out_dir = out_dir, .gnuplot = gnuplot.value_or("")});
  if (!plot) return PlotFiles{{}, {}, {"no plot: " + describe(plot.error())}};
  if (!gnuplot) plot->notes.push_back("no picture drawn: gnuplot is not installed");
  return std::move(*plot);
}

}  // namespace

void BenchScreen::show(const BenchProgress& progress) {
  if (quiet_) return;
  const std::string count = fmt::format("[{}/{}]", progress.runs_done, progress.runs_total);
  if (progress.finished != nullptr) {
    line_.clear();
    fmt::print(stderr, "{} {}; {} to go\n", count, describe_trial(*progress.finished),
               minutes(progress.eta_s));
  } else {
    line_.update(monotonic_us(), fmt::format("{} {} ...", count, progress.doing));
  }
}

Result<void> present_results(const BenchResults& results, const std::string& out_dir,
                             const CommonOptions& common) {
  if (auto wrote = write_text(out_dir + "/table.txt", render_table(results)); !wrote) return wrote;
  const PlotFiles plot = draw(results, out_dir);
  if (common.json) {
    fmt::print("{}", to_json(results));
    return {};
  }
  const bool terminal = is_terminal(STDOUT_FILENO);
  fmt::print("{}\n", render_table(results, {.columns = terminal ? terminal_columns() : 0,
                                            .colour = use_colour(STDOUT_FILENO)}));
  if (common.quiet) return {};
  fmt::print("wrote\n");
  for (const char* file : {"results.json", "table.txt"}) fmt::print("  {}/{}\n", out_dir, file);
  for (const auto& file : plot.pictures) fmt::print("  {}\n", file);
  fmt::print("  {}/journal-*.jsonl, run-*.json (one a run)\n", out_dir);
  for (const auto& note : plot.notes) fmt::print("note: {}\n", note);
  return {};
}

}  // namespace kvpsi
