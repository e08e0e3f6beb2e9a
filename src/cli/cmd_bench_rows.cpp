// SPDX-License-Identifier: MIT
// See cmd_bench_rows.h.
#include "cli/cmd_bench_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/cmd_bench_ratio.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/spill_options.h"
#include "llama/rows_cost.h"

namespace kvpsi {
namespace {

/// What is claimed; docs/measurements.md has the results.
constexpr double kRestoreFloor = 20;
constexpr double kPackedFloor = 0.95;

struct Summary {
  Ratio restore;  ///< time of computing anew / time of reading back
  Ratio packed;   ///< tokens/s trimmed and compacted / never held more
  Ratio holes;    ///< tokens/s with holes / never held more
  double prefill_ms = 0;
  double spill_ms = 0;
  double restore_ms = 0;
  std::uint64_t spilled_bytes = 0;
  bool logits_equal = true;
};

/// Reading back is what the token from disk takes more than the same token from memory.
double restore_us(const RestoreRound& round) {
  const double more =
      static_cast<double>(round.token_from_disk_us) - static_cast<double>(round.token_us);
  return std::max(more, 1.0);
}

Summary summarise(const RowsCost& cost, std::uint64_t seed) {
  Summary summary;
  std::vector<double> ratios;
  std::vector<double> prefill;
  std::vector<double> spill;
  std::vector<double> restore;
  for (const RestoreRound& round : cost.rounds) {
    ratios.push_back(static_cast<double>(round.prefill_us) / restore_us(round));
    prefill.push_back(static_cast<double>(round.prefill_us) / 1e3);
    spill.push_back(static_cast<double>(round.spill_us) / 1e3);
    restore.push_back(restore_us(round) / 1e3);
    summary.spilled_bytes = round.spilled_bytes;
    summary.logits_equal = summary.logits_equal && round.logits_equal;
  }
  summary.restore = summarise_ratios(ratios, seed);
  summary.prefill_ms = median(prefill);
  summary.spill_ms = median(spill);
  summary.restore_ms = median(restore);
  std::vector<double> packed;
  std::vector<double> holes;
  for (const TrimmedBlocks& blocks : cost.blocks) {
    const auto fresh = static_cast<double>(blocks.fresh_us);
    packed.push_back(fresh / static_cast<double>(blocks.packed_us));
    holes.push_back(fresh / static_cast<double>(blocks.holes_us));
  }
  summary.packed = summarise_ratios(packed, seed);
  summary.holes = summarise_ratios(holes, seed);
  return summary;
}

void print_json(const Summary& summary, const RowsCost& cost, const RowsCostOptions& options) {
  const nlohmann::json out = {{"schema", "kvpsi.rows/1"},
                              {"tokens", options.tokens},
                              {"rounds", cost.rounds.size()},
                              {"spilled_bytes", summary.spilled_bytes},
                              {"prefill_ms", summary.prefill_ms},
                              {"spill_ms", summary.spill_ms},
                              {"restore_ms", summary.restore_ms},
                              {"prefill_to_restore", to_json(summary.restore)},
                              {"logits_equal", summary.logits_equal},
                              {"blocks", cost.blocks.size()},
                              {"tokens_left", cost.tokens_left},
                              {"speed_packed_to_fresh", to_json(summary.packed)},
                              {"speed_holes_to_fresh", to_json(summary.holes)}};
  fmt::print("{}\n", out.dump(2));
}

void print_text(const Summary& summary, const RowsCost& cost, const RowsCostOptions& options,
                const std::string& where) {
  const auto show = [](const char* what, const Ratio& ratio) {
    fmt::print("  {:<28} {:>7.3g}  [{:.3g}, {:.3g}]\n", what, ratio.median, ratio.ci95.lo,
               ratio.ci95.hi);
  };
  fmt::print("rows of {} tokens, {}, {} rounds; {}\n", options.tokens,
             format_bytes(summary.spilled_bytes), cost.rounds.size(), where);
  fmt::print("  computed {:.0f} ms, written {:.0f} ms, read back {:.0f} ms\n", summary.prefill_ms,
             summary.spill_ms, summary.restore_ms);
  show("computed anew / read back", summary.restore);
  fmt::print("  {:<28} {}\n", "next token's logits",
             summary.logits_equal ? "bit-equal" : "DIFFERENT");
  fmt::print(
      "decoding after a trim from {} to {} tokens, {} neighbouring blocks, tokens/s against a "
      "context that never held more\n",
      options.tokens, cost.tokens_left, cost.blocks.size());
  show("trimmed and compacted", summary.packed);
  show("trimmed, with holes", summary.holes);
}

}  // namespace

int run_rows(const RowsCommand& options, const CommonOptions& common) {
  SpillOptions place;
  if (!options.spill_dir.empty()) place.directory = options.spill_dir;
  const auto spill = open_spill(place);
  if (!spill) return report_error("bench", spill.error());
  if (!spill->file) {
    return report_error("bench", {ErrorCode::unsupported, "--rows: " + spill->what, {}, 0});
  }
  StatusLine line(common.quiet);
  RowsCostOptions measure;
  measure.model = options.model;
  measure.spill = spill->file.get();
  measure.threads = options.threads;
  measure.seed = options.seed;
  measure.on_progress = [&line](std::uint32_t done, std::uint32_t all) {
    const std::uint64_t now = monotonic_us();
    if (line.due(now)) line.update(now, fmt::format("rows: step {} of {}", done, all));
  };
  const auto cost = measure_rows_cost(measure);
  line.clear();
  if (!cost) return report_error("bench", cost.error());
  const Summary summary = summarise(*cost, options.seed);
  if (common.json) {
    print_json(summary, *cost, measure);
  } else {
    print_text(summary, *cost, measure, spill->what);
  }
  const bool holds = summary.logits_equal && summary.restore.ci95.lo >= kRestoreFloor &&
                     summary.packed.median >= kPackedFloor;
  return holds ? kExitDone : kExitNotHeld;
}

}  // namespace kvpsi
