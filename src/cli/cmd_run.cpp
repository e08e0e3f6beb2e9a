// SPDX-License-Identifier: MIT
// `kvpsi run`: governed generation. Text goes to stdout, everything else to stderr. Next hops:
// cmd_run_options (what can be asked), cmd_run_session (what happens).
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/bytes.h"
#include "cli/cmd_run_conversations.h"
#include "cli/cmd_run_options.h"
#include "cli/cmd_run_screen.h"
#include "cli/cmd_run_session.h"
#include "cli/cmd_run_signals.h"
#include "cli/cmd_run_summary.h"
#include "cli/command.h"
#include "cli/exit_code.h"

namespace kvpsi {
namespace {

/// Said even with --quiet: the text is shorter than was asked for.
void explain_early_end(const RunOptions& options, const RunRecord& record, RunScreen& screen) {
  const auto stopped_by = [&record](StopReason reason) -> std::string {
    if (record.conversations.empty()) {
      return record.generation.stop_reason == reason ? "stopped" : "";
    }
    const std::string who = name_those_ended_by(record.conversations, reason);
    return who.empty() ? who : who + " stopped";
  };
  if (const std::string what = stopped_by(StopReason::kv_max); !what.empty()) {
    const std::string filled =
        record.conversations.empty()
            ? fmt::format(": {} tokens of context fill it", record.context.kv_cells_live)
            : std::string();
    screen.warn(fmt::format("{} at --kv-max {}{}; raise it, or allow --trim eager", what,
                            format_bytes(options.kv_max_bytes), filled));
  }
  if (const std::string what = stopped_by(StopReason::context_full); !what.empty()) {
    screen.warn(fmt::format("{}: the context of {} tokens is full; raise -c", what, record.n_ctx));
  }
}

int run_run(RunOptions options, const CommonOptions& common) {
  const auto complete = complete_run_options(options);
  if (!complete) return report_error("run", complete.error());
  const auto signals = RunSignals::start();
  if (!signals) return report_error("run", signals.error());
  RunScreen screen(common);
  const auto record = RunSession(options, screen, **signals).run();
  screen.end_text();
  if (!record) return report_error("run", record.error());
  explain_early_end(options, *record, screen);
  for (const std::string& line : summary_lines(*record)) screen.say(line);
  if (common.json && !write_all(STDOUT_FILENO, summary_json(*record) + "\n")) {
    print_error("run", "cannot write the summary to stdout");
    return kExitMachine;
  }
  // A reader that had enough is no failure; a full disk is.
  if (screen.text_errno() != 0 && screen.text_errno() != EPIPE) {
    print_error("run", fmt::format("cannot write the text to stdout: {}",
                                   std::strerror(screen.text_errno())));
    return kExitMachine;
  }
  return kExitDone;
}

}  // namespace

RunCommand add_run(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<RunOptions>();
  add_run_options(app, *options);
  return [options, &app, &common] {
    options->keep_or_tail_given = app.count("--keep") + app.count("--tail") > 0;
    return run_run(*options, common);
  };
}

}  // namespace kvpsi
