// SPDX-License-Identifier: MIT
// Rows of single runs and of medians; see table_rows.h. Columns of the reference project come first
// and keep their names.
#include "report/table_rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <tuple>
#include <vector>

#include "base/bytes.h"
#include "bench/stats.h"
#include "report/text_grid.h"

namespace kvpsi {
namespace {

std::string percent(const std::optional<StallPct>& stall, double StallPct::* part) {
  return stall ? fmt::format("{:.2f}", (*stall).*part) : "-";
}

std::string mib(std::uint64_t bytes) { return fmt::format("{:.1f}", to_mib(bytes)); }

GridCell kills(std::uint64_t count) {
  return {std::to_string(count), count > 0 ? Style::red : Style::plain};
}

/// "yes", "no" or "-": is the text that of the ungoverned runs?
GridCell equal_text(const std::optional<bool>& equal) {
  if (!equal) return {"-"};
  return *equal ? GridCell{"equal"} : GridCell{"differs", Style::yellow};
}

std::vector<GridColumn> run_columns(bool with_exit) {
  std::vector<GridColumn> columns = {
      {"", "run", Align::left},
      {"", "variant", Align::left},
      {"", "decoded"},
      {"", "tok/s"},
      {"", "prunes"},
      {"final", "KV"},
      {"ext. PSI", "some %"},
      {"ext. PSI", "full %"},
      {"own PSI", "some %"},
      {"tokens", "trimmed"},
      {"KV resident", "MiB"},
      {"released", "MiB"},
      {"neighbour", "rounds/s"},
      {"neighbour", "p99 ms"},
      {"token p99", "ms"},
      {"", "oom"},
      {"", "text", Align::left},
  };
  if (with_exit) columns.push_back({"", "ended", Align::left});
  return columns;
}

std::vector<GridCell> run_cells(const Trial& trial, bool first_of_trial, bool with_exit) {
  const std::string run = first_of_trial ? run_label(trial) : std::string();
  std::vector<GridCell> cells = {
      {run},
      {std::string(name(trial.variant)),
       trial.variant == Variant::psi ? Style::bold : Style::plain},
      {std::to_string(trial.decoded)},
      {fmt::format("{:.2f}", trial.tok_s)},
      {std::to_string(trial.prunes)},
      {std::to_string(trial.kv_final_tokens)},
      {percent(trial.external_psi, &StallPct::some_pct)},
      {percent(trial.external_psi, &StallPct::full_pct)},
      {percent(trial.own_psi, &StallPct::some_pct)},
      {std::to_string(trial.tokens_trimmed)},
      {mib(trial.kv_bytes_resident_final)},
      {mib(trial.kv_bytes_released + trial.scratch_bytes_released)},
      {trial.neighbour ? fmt::format("{:.1f}", trial.neighbour->rounds_s) : "-"},
      {trial.neighbour ? fmt::format("{:.1f}", trial.neighbour->p99_ms) : "-"},
      {trial.decoded > 0 ? fmt::format("{:.0f}", trial.latency_ms.p99) : "-"},
      kills(trial.oom_kills),
      equal_text(trial.text_equal),
  };
  if (with_exit) {
    const bool good = trial.exit == "ok";
    cells.push_back({good ? trial.stop_reason : trial.exit, good ? Style::plain : Style::red});
  }
  return cells;
}

/// The median over the trials that have the value; empty if none has.
std::optional<double> median_of(const std::vector<Trial>& trials,
                                const std::function<std::optional<double>(const Trial&)>& pick) {
  std::vector<double> values;
  for (const Trial& trial : trials) {
    if (const auto value = pick(trial)) values.push_back(*value);
  }
  if (values.empty()) return std::nullopt;
  return median(values);
}

std::string number(const std::optional<double>& value, int decimals) {
  return value ? fmt::format("{:.{}f}", *value, decimals) : "-";
}

/// "5 of 5" runs with the text of the ungoverned ones; "-" where none was compared.
std::string equal_count(const std::vector<Trial>& trials) {
  std::size_t compared = 0;
  std::size_t equal = 0;
  for (const Trial& trial : trials) {
    compared += trial.text_equal.has_value() ? 1 : 0;
    equal += trial.text_equal.value_or(false) ? 1 : 0;
  }
  return compared > 0 ? fmt::format("{} of {}", equal, compared) : "-";
}

std::vector<GridCell> median_cells(Variant variant, const std::vector<Trial>& trials) {
  std::uint64_t oom_kills = 0;
  std::size_t ended_badly = 0;
  for (const Trial& trial : trials) {
    oom_kills += trial.oom_kills;
    ended_badly += trial.exit == "ok" ? 0 : 1;
  }
  const auto own = [](const Trial& t) -> std::optional<double> {
    return t.own_psi ? std::optional(t.own_psi->some_pct) : std::nullopt;
  };
  const auto external = [](const Trial& t) -> std::optional<double> {
    return t.external_psi ? std::optional(t.external_psi->some_pct) : std::nullopt;
  };
  const auto rounds = [](const Trial& t) -> std::optional<double> {
    return t.neighbour ? std::optional(t.neighbour->rounds_s) : std::nullopt;
  };
  const auto round_p99 = [](const Trial& t) -> std::optional<double> {
    return t.neighbour ? std::optional(t.neighbour->p99_ms) : std::nullopt;
  };
  return {
      {std::string(name(variant)), variant == Variant::psi ? Style::bold : Style::plain},
      {fmt::format("{}", trials.size())},
      {number(median_of(trials, [](const Trial& t) { return t.tok_s; }), 2)},
      {number(median_of(trials, external), 2)},
      {number(median_of(trials, own), 2)},
      {number(
          median_of(trials, [](const Trial& t) { return static_cast<double>(t.tokens_trimmed); }),
          0)},
      {number(median_of(trials, [](const Trial& t) { return to_mib(t.kv_bytes_resident_final); }),
              1)},
      {number(median_of(trials, rounds), 1)},
      {number(median_of(trials, round_p99), 1)},
      {number(median_of(trials, [](const Trial& t) { return t.reaction_ms; }), 1)},
      kills(oom_kills),
      {equal_count(trials)},
      {std::to_string(ended_badly), ended_badly > 0 ? Style::red : Style::plain},
  };
}

}  // namespace

std::string run_label(const Trial& trial) {
  return fmt::format("{} #{}", name(trial.order), trial.trial);
}

std::vector<Trial> trials_of(const BenchResults& results, Squeeze squeeze) {
  std::vector<Trial> trials;
  for (const Trial& trial : results.trials) {
    if (trial.squeeze == squeeze) trials.push_back(trial);
  }
  std::ranges::stable_sort(trials, {}, [](const Trial& trial) {
    return std::tuple(trial.order, trial.trial, trial.position);
  });
  return trials;
}

std::string render_runs(const BenchResults& results, Squeeze squeeze, const TableOptions& options) {
  const std::vector<Trial> trials = trials_of(results, squeeze);
  const bool with_exit = std::ranges::any_of(
      trials, [](const Trial& t) { return t.exit != "ok" || t.stop_reason == "time"; });
  TextGrid grid(run_columns(with_exit));
  const Trial* previous = nullptr;
  for (const Trial& trial : trials) {
    const bool first = previous == nullptr || previous->trial != trial.trial;
    if (previous != nullptr && previous->order != trial.order) grid.add_gap();
    grid.add_row(run_cells(trial, first, with_exit));
    previous = &trial;
  }
  return grid.render(options.columns, 2, options.colour);
}

std::string render_medians(const BenchResults& results, Squeeze squeeze,
                           const TableOptions& options) {
  TextGrid grid({{"", "medians", Align::left},
                 {"", "runs"},
                 {"", "tok/s"},
                 {"ext. PSI", "some %"},
                 {"own PSI", "some %"},
                 {"tokens", "trimmed"},
                 {"KV resident", "MiB"},
                 {"neighbour", "rounds/s"},
                 {"neighbour", "p99 ms"},
                 {"reaction", "ms"},
                 {"oom", "(all)"},
                 {"text", "equal"},
                 {"ended", "badly"}});
  const std::vector<Trial> trials = trials_of(results, squeeze);
  for (const Variant variant : kVariants) {
    std::vector<Trial> of_variant;
    for (const Trial& trial : trials) {
      if (trial.variant == variant) of_variant.push_back(trial);
    }
    if (!of_variant.empty()) grid.add_row(median_cells(variant, of_variant));
  }
  return grid.render(options.columns, 1, options.colour);
}

}  // namespace kvpsi
