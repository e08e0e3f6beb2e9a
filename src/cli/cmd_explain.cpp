// SPDX-License-Identifier: MIT
// `kvpsi explain JOURNAL`: why a governed run acted or did not, in sentences with numbers. Must not
// interpret anything itself. Next hop: report/explain.h.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "journal/reader.h"
#include "report/explain.h"

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

nlohmann::json to_json(const Event& event) {
  return {{"t_s", event.t_s},
          {"decision_id", event.decision_id},
          {"level", name(event.level)},
          {"reason", name(event.reason)},
          {"sentence", event.sentence}};
}

int print_turn(const ExplainOptions& options, const Journal& journal, bool json) {
  const std::string text = explain_turn(journal.ticks, options.at_s, journal.config);
  if (json) {
    fmt::print("{}\n", nlohmann::json{{"schema", "kvpsi.explain/1"}, {"turn", text}}.dump());
  } else {
    fmt::print("{}", text);
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
  nlohmann::json list = nlohmann::json::array();
  for (const Event& event : explain_events(journal->ticks, options.all)) {
    if (common.json) {
      list.push_back(to_json(event));
    } else {
      fmt::print("{}\n", event.sentence);
    }
  }
  if (common.json) {
    fmt::print("{}\n", nlohmann::json{{"schema", "kvpsi.explain/1"}, {"events", list}}.dump());
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
