// SPDX-License-Identifier: MIT
// See cmd_bench_reality.h.
#include "cli/cmd_bench_reality.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <utility>

#include "base/clock.h"
#include "bench/reality.h"
#include "bench/reality_rows.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/stop_flag.h"
#include "report/text_grid.h"

namespace kvpsi {
namespace {

std::string number(double value, const std::string& unit) {
  if (unit == "1") return fmt::format("{:.0f}", value);
  return fmt::format("{:.2f}", value);
}

std::string spread(std::uint32_t n, double median, double lo, double hi, const std::string& unit) {
  if (n == 0) return "-";
  return fmt::format("{} ({} .. {}) n={}", number(median, unit), number(lo, unit), number(hi, unit),
                     n);
}

std::string render(const RealityRecord& record) {
  TextGrid grid({{"", "squeeze", Align::left},
                 {"", "what", Align::left},
                 {"", "unit", Align::left},
                 {"real", "median (range)", Align::left},
                 {"simulated", "median (range)", Align::left},
                 {"real /", "simulated", Align::left},
                 {"", "verdict", Align::left}});
  std::string last;
  for (const RealityRow& row : record.rows) {
    if (!last.empty() && row.squeeze != last) grid.add_gap();
    last = row.squeeze;
    const std::string ratio = row.ratio > 0 ? fmt::format("{:.2f} [{:.2f}, {:.2f}]", row.ratio,
                                                          row.ratio_lo, row.ratio_hi)
                                            : "";
    std::string verdict = row.verdict;
    if (!row.words.empty()) verdict += (verdict.empty() ? "" : ": ") + row.words;
    grid.add_row({{row.squeeze},
                  {row.metric},
                  {row.unit == "1" ? "" : row.unit},
                  {spread(row.n_real, row.real_median, row.real_lo, row.real_hi, row.unit)},
                  {spread(row.n_simulated, row.simulated_median, row.simulated_lo, row.simulated_hi,
                          row.unit)},
                  {ratio},
                  {verdict}});
  }
  std::string text = record.rows.empty() ? "no run counts\n" : grid.render(0, 2, false);
  text += fmt::format("\n{}\n", reality_rule());
  for (const auto& what : record.missing) text += fmt::format("missing: {}\n", what);
  for (const auto& what : record.context.warnings) text += fmt::format("warning: {}\n", what);
  return text;
}

std::string describe_run(const RealityRun& run) {
  const SqueezeTimes& times = run.times;
  std::string text = fmt::format("{} {}: ", name(run.kind), run.repetition);
  if (!run.counts()) {
    return text + (run.exit == "ok" ? "not calm at its onset, does not count" : run.exit);
  }
  text += times.first_action_s ? fmt::format("first action {:.2f} s", *times.first_action_s)
                               : std::string("no action");
  text += fmt::format(", stall {:.2f} s, {} tokens trimmed, {}", times.own_stall_s,
                      times.tokens_trimmed, name(times.highest_level));
  text += fmt::format("; last trim {:.2f} s after relief, ", times.last_action_s);
  return text + (times.full_size_s ? fmt::format("full size at {:.1f} s", *times.full_size_s)
                                   : fmt::format("not full in {:.0f} s", times.followed_s));
}

class Screen {
 public:
  explicit Screen(bool quiet) : quiet_(quiet), line_(quiet, 0, 0) {}

  void show(const RealityProgress& progress) {
    if (quiet_) return;
    const std::string count = fmt::format("[{}/{}]", progress.runs_done, progress.runs_total);
    if (progress.finished == nullptr) {
      line_.update(monotonic_us(), fmt::format("{} {} ...", count, progress.doing));
      return;
    }
    line_.clear();
    fmt::print(stderr, "{} {}\n", count, describe_run(*progress.finished));
  }
  void finish() { line_.clear(); }

 private:
  bool quiet_;
  StatusLine line_;
};

}  // namespace

void add_reality_options(CLI::App& app, RealityCommand& command) {
  auto* asked = app.add_flag("--against-simulation", command.asked,
                             "Four squeezes that end again, real and simulated, side by side; "
                             "with the times after relief (about 40 minutes)");
  add_number_option(app, "--repetitions", command.repetitions, 1, 1000,
                    "Real runs of each squeeze for --against-simulation")
      ->needs(asked);
  add_number_option(app, "--sim-seeds", command.seeds, 1, 10'000,
                    "Simulated runs of each squeeze for --against-simulation")
      ->needs(asked);
  app.add_flag("--resume", command.resume,
               "Go on with the --against-simulation series in --out-dir")
      ->needs(asked);
  for (const char* other : {"--demo", "--full", "--at-rest", "--squeeze", "--variants", "--trials",
                            "--scope", "--limit-mib", "--ctx-size", "--predict", "--prompt-tokens",
                            "--pressure-mib", "--time-max", "--variant-order"}) {
    asked->excludes(app.get_option(other));
  }
}

int run_reality_command(const RealityCommand& command, BenchOptions bench,
                        const CommonOptions& common) {
  RealityOptions options;
  options.bench = std::move(bench);
  options.repetitions = command.repetitions;
  options.seeds = command.seeds;
  options.resume = command.resume;
  install_stop_flag();
  Screen screen(common.quiet);
  const auto record = run_reality(options, stop_asked,
                                  [&](const RealityProgress& progress) { screen.show(progress); });
  screen.finish();
  if (!record) return report_error("bench", record.error());
  const std::string table = render(*record);
  const std::string table_path = options.bench.out_dir + "/table.txt";
  if (auto wrote = write_whole(table, table_path); !wrote) {
    return report_error("bench", wrote.error());
  }
  if (common.json) {
    fmt::print("{}", to_json(*record));
  } else {
    fmt::print("{}", table);
    if (!common.quiet) {
      fmt::print("wrote\n  {0}/results.json\n  {0}/table.txt\n  {0}/journal-*.jsonl\n",
                 options.bench.out_dir);
    }
  }
  return record->missing.empty() ? kExitDone : kExitNotHeld;
}

}  // namespace kvpsi
