// SPDX-License-Identifier: MIT
// How the laws of a simulation compare: means of one law in one scenario, and ours against each
// other over all scenarios. Pure. Next hop: cmd_simulate_report.h, which prints it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "cli/cmd_simulate_report.h"

namespace kvpsi {

/// Means over the runs of one law in one scenario; `killed` counts runs.
struct Means {
  double runs = 0, own_stall_s = 0, others_stall_s = 0, before_action_s = 0, given_up_mib_s = 0,
         lost = 0, decoded = 0, killed = 0;
};

/// Empty where that law did not run.
std::optional<Means> find_means(const ScenarioResults& scenario, LawKind law);

/// A table of at most 100 columns, a row a law; empty unless ours and another one ran. The ratios
/// are ours / theirs: the geometric mean over the scenarios in which theirs is at least 0.01 (s or
/// MiB s), and the worst of them.
std::string compare_text(const SimulateResults& results);

/// The same: [{law, runs, runs_killed, tokens_decoded, tokens_lost, own_stall_ratio,
/// kv_given_up_ratio}], the ratios as {mean, worst, worst_scenario, scenarios} or null.
nlohmann::ordered_json compare_json(const SimulateResults& results);

}  // namespace kvpsi
