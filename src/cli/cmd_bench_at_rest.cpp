// SPDX-License-Identifier: MIT
// See cmd_bench_at_rest.h.
#include "cli/cmd_bench_at_rest.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/cmd_bench_ratio.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "llama/at_rest.h"

namespace kvpsi {
namespace {

/// The bounds of P5: half of what a person could notice. docs/measurements.md has the results.
constexpr double kSpeedFloor = 0.98;
constexpr double kCpuCeiling = 1.005;

struct Summary {
  Ratio speed;  ///< tokens/s governed / stock
  Ratio cpu;    ///< CPU time a token governed / stock
  double idle_cpu_share = 0;
  std::uint64_t governor_bytes = 0;
  bool logits_equal = false;
  std::size_t pairs = 0;
};

Summary summarise(const AtRestResult& result, std::uint64_t seed) {
  std::vector<double> speed;
  std::vector<double> cpu;
  for (const AtRestPair& pair : result.pairs) {
    speed.push_back(static_cast<double>(pair.stock_us) / static_cast<double>(pair.governed_us));
    cpu.push_back(static_cast<double>(pair.governed_cpu_us) /
                  static_cast<double>(pair.stock_cpu_us));
  }
  Summary summary;
  summary.speed = summarise_ratios(speed, seed);
  summary.cpu = summarise_ratios(cpu, seed);
  summary.idle_cpu_share =
      static_cast<double>(result.idle_cpu_us) / static_cast<double>(result.idle_wall_us);
  summary.governor_bytes = result.governor_bytes;
  summary.logits_equal = result.logits_equal;
  summary.pairs = result.pairs.size();
  return summary;
}

void print(const Summary& summary, bool json) {
  if (json) {
    const nlohmann::json out = {{"schema", "kvpsi.at-rest/1"},
                                {"pairs", summary.pairs},
                                {"speed_governed_to_stock", to_json(summary.speed)},
                                {"cpu_a_token_governed_to_stock", to_json(summary.cpu)},
                                {"governor_cpu_share_idle", summary.idle_cpu_share},
                                {"governor_anon_bytes", summary.governor_bytes},
                                {"logits_equal", summary.logits_equal}};
    fmt::print("{}\n", out.dump(2));
    return;
  }
  fmt::print("governed / stock, {} pairs of neighbouring blocks, nobody short of memory\n",
             summary.pairs);
  fmt::print("  tokens/s          {:.4f}  [{:.4f}, {:.4f}]\n", summary.speed.median,
             summary.speed.ci95.lo, summary.speed.ci95.hi);
  fmt::print("  CPU time a token  {:.4f}  [{:.4f}, {:.4f}]\n", summary.cpu.median,
             summary.cpu.ci95.lo, summary.cpu.ci95.hi);
  fmt::print("  governor alone    {:.3f} % of one core, {} of anonymous memory\n",
             100 * summary.idle_cpu_share, format_bytes(summary.governor_bytes));
  fmt::print("  logits            {}\n", summary.logits_equal ? "bit-equal" : "DIFFERENT");
}

}  // namespace

int run_at_rest(const AtRestCommand& options, const CommonOptions& common) {
  StatusLine line(common.quiet);
  AtRestOptions measure;
  measure.model = options.model;
  measure.pairs = options.pairs;
  measure.threads = options.threads;
  measure.seed = options.seed;
  measure.on_progress = [&line](std::uint32_t done, std::uint32_t all) {
    const std::uint64_t now = monotonic_us();
    if (line.due(now)) line.update(now, fmt::format("at rest: pair {} of {}", done, all));
  };
  const auto result = measure_at_rest(measure);
  line.clear();
  if (!result) return report_error("bench", result.error());
  const Summary summary = summarise(*result, options.seed);
  print(summary, common.json);
  const bool holds = summary.logits_equal && summary.speed.ci95.lo >= kSpeedFloor &&
                     summary.cpu.median <= kCpuCeiling;
  return holds ? kExitDone : kExitNotHeld;
}

}  // namespace kvpsi
