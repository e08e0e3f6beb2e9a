// SPDX-License-Identifier: MIT
// `kvpsi explain JOURNAL`: why a governed run acted or did not, in sentences with numbers. Must not
// interpret anything itself. Next hop: report/explain.h.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "journal/reader.h"
#include "report/explain.h"
#include "report/explain_json.h"

namespace kvpsi {
namespace {

/// A journal of this many seconds would be a month.
constexpr double kLongestJournalS = 2'678'400;

struct ExplainOptions {
  std::string journal;
  double at_s = 0;
  bool is_at_given = false;
  bool all = false;
};

int refuse_time(const ExplainOptions& options, const Journal& journal) {
  print_error("explain", fmt::format("--at {}: {} covers 0 to {:.3f} s only", options.at_s,
                                     options.journal, covered_s(journal.ticks)));
  return kExitUsage;
}

int print_turn(const ExplainOptions& options, const Journal& journal, bool json) {
  const auto turn = find_turn(journal.ticks, options.at_s);
  if (!turn) return refuse_time(options, journal);
  const PolicyConfig* config = journal.configs.at(*turn);
  if (json) {
    fmt::print("{}\n", turn_json(journal.ticks, *turn, config));
  } else {
    fmt::print("{}", explain_turn(journal.ticks, *turn, config));
  }
  return kExitDone;
}

int run_explain(const ExplainOptions& options, const CommonOptions& common) {
  const Result<Journal> journal = read_journal(options.journal);
  if (!journal) return report_error("explain", journal.error());
  if (journal->ticks.empty()) {
    print_error("explain", options.journal + ": holds no whole tick, so there is nothing to tell");
    return kExitNotHeld;
  }
  if (journal->ends_in_cut_line && !common.quiet) {
    print_error("explain", options.journal + ": ends inside a line, which is left out");
  }
  if (options.is_at_given) return print_turn(options, *journal, common.json);
  const std::vector<Event> events = explain_events(journal->ticks, options.all);
  if (common.json) {
    fmt::print("{}\n", events_json(events));
  } else {
    for (const Event& event : events) fmt::print("{}\n", event.sentence);
  }
  return kExitDone;
}

}  // namespace

RunCommand add_explain(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<ExplainOptions>();
  app.add_option("journal", options->journal, "File that --journal wrote")
      ->required()
      ->type_name("JOURNAL");
  auto* at = add_number_option(app, "--at", options->at_s, 0, kLongestJournalS,
                               "Tell one turn whole: the one in force this long after the start");
  at->type_name("SECONDS")->default_str("");
  app.add_flag("--all", options->all, "Tell each turn, not only changes and actions")->excludes(at);
  return [options, at, &common] {
    options->is_at_given = at->count() > 0;
    return run_explain(*options, common);
  };
}

}  // namespace kvpsi
