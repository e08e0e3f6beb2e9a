// SPDX-License-Identifier: MIT
// The account of a squeeze, one row a run: what left memory for the spill file and came back, what
// was taken out of the context and is back, and how the idle tenants fared. See table_rows.h.
#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "report/table_rows.h"
#include "report/text_grid.h"

namespace kvpsi {
namespace {

std::string mib(std::uint64_t bytes) { return fmt::format("{:.1f}", to_mib(bytes)); }

GridCell loss(std::uint64_t tokens) {
  return {std::to_string(tokens), tokens > 0 ? Style::yellow : Style::plain};
}

std::vector<GridColumn> columns(bool trims, bool idle) {
  std::vector<GridColumn> out = {{"", "account", Align::left},
                                 {"", "variant", Align::left},
                                 {"spilled", "MiB"},
                                 {"restored", "MiB"}};
  if (trims) {
    out.insert(out.end(), {{"tokens", "trimmed"},
                           {"tokens", "restored"},
                           {"evaluated", "anew"},
                           {"tokens", "lost"},
                           {"still", "out"},
                           {"reduced", "s"},
                           {"waited", "s"}});
  }
  if (idle) {
    out.insert(out.end(), {{"idle KV", "MiB"},
                           {"of it", "returned %"},
                           {"later", "turns"},
                           {"with", "equal text"},
                           {"first token", "ms"},
                           {"worst", "ms"},
                           {"prefill", "took ms"}});
  }
  return out;
}

void add_trims(std::vector<GridCell>& cells, const Trial& trial) {
  cells.insert(cells.end(), {{std::to_string(trial.tokens_trimmed)},
                             {std::to_string(trial.tokens_restored)},
                             {std::to_string(trial.tokens_reevaluated)},
                             loss(trial.tokens_lost),
                             loss(trial.tokens_out),
                             {fmt::format("{:.1f}", trial.reduced_context_s)},
                             {fmt::format("{:.1f}", trial.rest_s)}});
}

void add_idle(std::vector<GridCell>& cells, const IdleTenants& idle) {
  const double share = idle.kv_bytes > 0 ? 100.0 * static_cast<double>(idle.kv_bytes_returned) /
                                               static_cast<double>(idle.kv_bytes)
                                         : 0;
  const bool differs = idle.turns_equal && *idle.turns_equal < idle.turns;
  cells.insert(cells.end(),
               {{mib(idle.kv_bytes)},
                {fmt::format("{:.0f}", share)},
                {std::to_string(idle.turns)},
                {idle.turns_equal ? std::to_string(*idle.turns_equal) : "-",
                 differs ? Style::yellow : Style::plain},
                {idle.turns > 0 ? fmt::format("{:.0f}", idle.first_token_ms_median) : "-"},
                {idle.turns > 0 ? fmt::format("{:.0f}", idle.first_token_ms_max) : "-"},
                {fmt::format("{:.0f}", idle.prefill_ms)}});
}

bool has_account(const Trial& trial) {
  return trial.tokens_trimmed > 0 || trial.spilled_bytes > 0 || trial.idle.has_value();
}

}  // namespace

std::string render_account(const BenchResults& results, Squeeze squeeze,
                           const TableOptions& options) {
  auto trials = trials_of(results, squeeze);
  std::erase_if(trials, [](const Trial& trial) { return !has_account(trial); });
  if (trials.empty()) return "";
  const bool trims =
      std::ranges::any_of(trials, [](const Trial& trial) { return trial.tokens_trimmed > 0; });
  const bool idle = std::ranges::any_of(trials, [](const Trial& trial) { return !!trial.idle; });
  TextGrid grid(columns(trims, idle));
  for (const Trial& trial : trials) {
    std::vector<GridCell> cells = {{run_label(trial)},
                                   {std::string(name(trial.variant))},
                                   {mib(trial.spilled_bytes)},
                                   {mib(trial.restored_bytes)}};
    if (trims) add_trims(cells, trial);
    if (idle) add_idle(cells, trial.idle.value_or(IdleTenants{}));
    grid.add_row(std::move(cells));
  }
  return "\n" + grid.render(options.columns, 2, options.colour);
}

}  // namespace kvpsi
