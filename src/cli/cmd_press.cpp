// SPDX-License-Identifier: MIT
// `kvpsi press`: the pressure generator as a program. Next hop: bench/presser.
#include <fmt/core.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "bench/presser.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/stop_flag.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kMostMib = 1ULL << 24;  // 16 TiB

struct PressCommandOptions {
  PressOptions press;
  std::uint64_t mib = 0;
  std::uint64_t file_mib = 0;
  std::uint64_t step_mib = 0;
  bool hot = false;
  bool cold = false;
  std::string rounds_log;
};

/// A presser that outlives whoever started it would press for ever; the check closes the gap
/// between the parent's death and the prctl.
bool tie_to_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return ::getppid() == parent;
}

void print_summary(const PressSummary& summary, bool json) {
  const LatencyMs latency = round_latency(summary.rounds);
  const double rounds_s =
      summary.seconds > 0 ? static_cast<double>(summary.rounds_total) / summary.seconds : 0;
  if (json) {
    const nlohmann::ordered_json document = {
        {"schema", "kvpsi.press/1"},
        {"anon_bytes", summary.anon_bytes},
        {"file_bytes", summary.file_bytes},
        {"rounds", summary.rounds_total},
        {"rounds_s", rounds_s},
        {"seconds", summary.seconds},
        {"latency_ms", {{"p50", latency.p50}, {"p99", latency.p99}, {"max", latency.max}}}};
    fmt::print("{}\n", document.dump());
  } else {
    fmt::print(
        "{} anonymous, {} file-backed: {} rounds in {:.1f} s, {:.1f} a second\n"
        "a round took {:.2f} ms (median), {:.2f} ms (p99), {:.2f} ms (worst)\n",
        format_bytes(summary.anon_bytes), format_bytes(summary.file_bytes), summary.rounds_total,
        summary.seconds, rounds_s, latency.p50, latency.p99, latency.max);
  }
}

void say_ready(const PressOptions& options, const CommonOptions& common) {
  if (common.json) {
    const nlohmann::ordered_json document = {
        {"event", "ready"}, {"anon_bytes", options.anon_bytes}, {"file_bytes", options.file_bytes}};
    fmt::print("{}\n", document.dump());
  } else if (!common.quiet) {
    fmt::print("pressing: {} anonymous, {} file-backed are in use; Ctrl-C ends it\n",
               format_bytes(options.anon_bytes), format_bytes(options.file_bytes));
  }
  std::fflush(stdout);
}

int run_press(PressCommandOptions options, const CommonOptions& common) {
  const pid_t parent = ::getppid();
  install_stop_flag();
  if (!tie_to_parent(parent)) return kExitDone;
  PressOptions& press = options.press;
  press.anon_bytes = options.mib * kMiB;
  press.file_bytes = options.file_mib * kMiB;
  press.step_bytes = options.step_mib * kMiB;
  press.hot = !options.cold;
  const auto available = find_available_bytes();
  if (available) press.available_bytes = *available;
  const auto summary = run_presser(press, stop_asked, [&] { say_ready(press, common); });
  if (!summary) {
    // Ended by a signal before it could begin: asked for, so done.
    if (summary.error().code == ErrorCode::cancelled) return kExitDone;
    return report_error("press", summary.error());
  }
  if (!options.rounds_log.empty()) {
    if (auto wrote = write_rounds(summary->rounds, options.rounds_log); !wrote) {
      return report_error("press", wrote.error());
    }
  }
  if (common.json || !common.quiet) print_summary(*summary, common.json);
  return kExitDone;
}

}  // namespace

RunCommand add_press(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<PressCommandOptions>();
  PressOptions& press = options->press;
  add_number_option(app, "--mib", options->mib, 0, kMostMib, "Anonymous memory to hold and use");
  add_number_option(app, "--file-mib", options->file_mib, 0, kMostMib,
                    "File-backed memory to read over and over");
  app.add_option("--file", press.file, "Read this file instead of an unlinked one of its own")
      ->type_name("PATH");
  app.add_option("--file-dir", press.directory, "Where to make the unlinked file")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_flag(
      "--pread", [&press](std::int64_t) { press.use_mmap = false; },
      "Read the file with pread instead of through a mapping");
  add_number_option(app, "--step-mib", options->step_mib, 0, kMostMib,
                    "Grow the anonymous part by this much at a time; 0: all at once");
  add_number_option(app, "--step-s", press.step_s, 0, 3600, "Seconds between two steps");
  auto* cold = app.add_flag("--cold", options->cold, "Touch each page once, when it is new");
  app.add_flag("--hot", options->hot, "Touch every page in each round (the default)")
      ->excludes(cold);
  add_number_option(app, "--for", press.for_s, 0, kPressMostSeconds, "Seconds to press for");
  app.add_option("--rounds-log", options->rounds_log, "Write when each round ended and its time")
      ->type_name("FILE");
  app.add_flag("--force", press.force, "Allow more than the machine or the group can give");
  return [options, &common] { return run_press(*options, common); };
}

}  // namespace kvpsi
