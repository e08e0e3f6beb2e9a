// SPDX-License-Identifier: MIT
// See cmd_simulate_replay.h.
#include "cli/cmd_simulate_replay.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/small_file.h"
#include "cli/exit_code.h"
#include "cli/policy_config_file.h"
#include "journal/reader.h"
#include "sim/replay.h"

namespace kvpsi {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kSchema = "kvpsi.replay/1";

std::string group_digits(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

void print_replay_json(const ReplayReport& report, bool assumed) {
  Json differences = Json::array();
  for (const ReplayDifference& d : report.differences) {
    differences.push_back({{"decision_id", d.decision_id},
                           {"t_s", d.t_s},
                           {"field", d.field},
                           {"recorded", d.recorded},
                           {"replayed", d.replayed}});
  }
  fmt::print("{}\n", Json{{"schema", kSchema},
                          {"holds", report.holds()},
                          {"config_assumed", assumed},
                          {"ticks", report.ticks},
                          {"compared", report.compared},
                          {"reproduced", report.reproduced},
                          {"other_config", report.other_config},
                          {"after_gap", report.after_gap},
                          {"gaps", report.gaps},
                          {"differences", differences}}
                         .dump());
}

void print_replay(const ReplayReport& report, bool assumed) {
  if (report.compared == 0) {
    fmt::print("nothing could be compared\n");
  } else if (report.holds()) {
    fmt::print("{} decisions, all reproduced\n", group_digits(report.compared));
  } else {
    fmt::print("{} decisions compared, {} differ\n", group_digits(report.compared),
               group_digits(report.compared - report.reproduced));
  }
  for (const ReplayDifference& d : report.differences) {
    fmt::print("  at {:.3f} s, decision {}: {} was {}, is now {}\n", d.t_s, d.decision_id, d.field,
               d.recorded, d.replayed);
  }
  if (report.after_gap > 0) {
    fmt::print("{} decisions after {} gaps not compared: what the law remembered is unknown\n",
               group_digits(report.after_gap), group_digits(report.gaps));
  }
  if (report.other_config > 0) {
    fmt::print("{} decisions made under another configuration not compared{}\n",
               group_digits(report.other_config),
               assumed ? "; the journal names none, so the defaults were assumed" : "");
  }
}

Json sums_json(const ReplaySums& sums) {
  return {{"actions", sums.actions},
          {"release_actions", sums.release_actions},
          {"trims", sums.trims},
          {"trim_bytes_asked", sums.trim_bytes_asked},
          {"turns_under_pressure", sums.turns_under_pressure}};
}

std::uint64_t trim_bytes(const Decision& decision) {
  std::uint64_t bytes = 0;
  for (const Action& action : decision.actions) {
    if (action.verb == Verb::trim) bytes += action.bytes;
  }
  return bytes;
}

std::string move_text(const Decision& decision) {
  std::string text = fmt::format("{} {}", name(decision.level), name(decision.reason));
  if (!decision.actions.empty()) text += fmt::format(", {} actions", decision.actions.size());
  const std::uint64_t trimmed = trim_bytes(decision);
  if (trimmed > 0) text += ", trim " + format_bytes(trimmed);
  return text;
}

Json move_json(const Decision& decision) {
  return {{"level", name(decision.level)},
          {"reason", name(decision.reason)},
          {"actions", decision.actions.size()},
          {"trim_bytes_asked", trim_bytes(decision)}};
}

void print_what_if_json(const WhatIf& what_if) {
  Json rows = Json::array();
  for (const WhatIfRow& row : what_if.rows) {
    rows.push_back({{"t_s", row.t_s},
                    {"decision_id", row.then.id},
                    {"then", move_json(row.then)},
                    {"now", move_json(row.now)}});
  }
  fmt::print("{}\n", Json{{"schema", "kvpsi.whatif/1"},
                          {"changed", what_if.changed},
                          {"then", sums_json(what_if.then)},
                          {"now", sums_json(what_if.now)},
                          {"rows", rows}}
                         .dump());
}

void print_what_if(const WhatIf& what_if) {
  fmt::print("{:>9}  {:<44}  {}\n", "time", "then", "now");
  for (const WhatIfRow& row : what_if.rows) {
    fmt::print("{:>7.1f} s  {:<44}  {}\n", row.t_s, move_text(row.then), move_text(row.now));
  }
  const auto print_sum = [](std::string_view what, const std::string& then,
                            const std::string& now) {
    fmt::print("{:<22}  {:>12}  {:>12}\n", what, then, now);
  };
  fmt::print("\n{} decisions differ\n", group_digits(what_if.changed));
  print_sum("", "then", "now");
  print_sum("actions", group_digits(what_if.then.actions), group_digits(what_if.now.actions));
  print_sum("trims", group_digits(what_if.then.trims), group_digits(what_if.now.trims));
  print_sum("bytes asked of trims", format_bytes(what_if.then.trim_bytes_asked),
            format_bytes(what_if.now.trim_bytes_asked));
  print_sum("turns under pressure", group_digits(what_if.then.turns_under_pressure),
            group_digits(what_if.now.turns_under_pressure));
  fmt::print("What was seen stays as recorded: long sequences are a rough guide.\n");
}

/// What the ticks were recorded under; the defaults where the journal does not say.
ConfigTimeline recorded_configs(const Journal& journal) {
  ConfigTimeline configs = PolicyConfig{};
  for (const ConfigFrom& change : journal.configs.changes()) {
    configs.begin_at(change.first_tick, change.config);
  }
  return configs;
}

/// The constants of the file put over each of the recorded configurations.
Result<ConfigTimeline> make_tried_configs(const std::string& path, const ConfigTimeline& recorded) {
  const auto text = read_named_file(path);
  if (!text) return std::unexpected(text.error());
  ConfigTimeline tried;
  for (const ConfigFrom& change : recorded.changes()) {
    auto config = apply_policy_config(*text, path, change.config);
    if (!config) return std::unexpected(config.error());
    tried.begin_at(change.first_tick, *config);
  }
  return tried;
}

int run_what_if(const ReplayOptions& options, const CommonOptions& common, const Journal& journal) {
  const ConfigTimeline recorded = recorded_configs(journal);
  if (recorded.at(0)->hash() != journal.ticks.front().config_hash) {
    print_error("simulate", options.journal +
                                ": does not hold the configuration it was recorded with, so "
                                "nothing can be compared; record it again");
    return kExitNotHeld;
  }
  const auto tried = make_tried_configs(options.policy_config, recorded);
  if (!tried) return report_error("simulate", tried.error());
  const WhatIf what_if = replay_otherwise(journal.ticks, *tried);
  common.json ? print_what_if_json(what_if) : print_what_if(what_if);
  return kExitDone;
}

}  // namespace

int run_replay(const ReplayOptions& options, const CommonOptions& common) {
  const Result<Journal> journal = read_journal(options.journal);
  if (!journal) return report_error("simulate", journal.error());
  if (journal->ticks.empty()) {
    print_error("simulate", options.journal + ": holds no whole tick, so nothing can be replayed");
    return kExitNotHeld;
  }
  if (journal->ends_in_cut_line && !common.quiet) {
    print_error("simulate", options.journal + ": ends inside a line, which is left out");
  }
  if (!options.policy_config.empty()) return run_what_if(options, common, *journal);
  const bool assumed = journal->configs.at(0) == nullptr;
  const ReplayReport report = replay(journal->ticks, recorded_configs(*journal));
  common.json ? print_replay_json(report, assumed) : print_replay(report, assumed);
  return report.holds() ? kExitDone : kExitNotHeld;
}

}  // namespace kvpsi
