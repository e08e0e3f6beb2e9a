// SPDX-License-Identifier: MIT
// Made-up journals and summaries of one run each, shaped like a thrashing and a governed one.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/bytes.h"
#include "model/tick.h"
#include "report/run_summary.h"

namespace kvpsi::test {

inline constexpr std::uint64_t kZeroUs = 1'000'000'000;  ///< first token

struct ExampleRun {
  double lead_s = 6;   ///< of loading and prefill
  double seconds = 8;  ///< of decoding
  double tok_s = 38;
  double stall = 0;       ///< 0..1 while decoding
  double kv_mib = 52;     ///< at the end
  bool pools = true;      ///< false: stock llama.cpp, no pool reports
  double trim_at_s = -1;  ///< one trim to a third of the KV then
};

inline std::vector<Tick> example_ticks(const ExampleRun& run) {
  std::vector<Tick> ticks;
  std::uint64_t stalled_us = 0;
  for (double t = -run.lead_s; t <= run.seconds; t += 0.1) {
    const double loaded = std::clamp((t + run.lead_s) / run.lead_s, 0.0, 1.0);
    const bool trimmed = run.trim_at_s >= 0 && t >= run.trim_at_s;
    Tick tick;
    Sample& sample = tick.observation.sample;
    sample.t_us = static_cast<std::uint64_t>(static_cast<double>(kZeroUs) + t * 1e6);
    if (t > 0 && !trimmed) {
      stalled_us += static_cast<std::uint64_t>(1e5 * run.stall * (1 + 0.5 * std::sin(3 * t)));
    }
    sample.psi_own = PsiTotals{stalled_us, stalled_us / 2};
    const double kv = run.kv_mib * (run.pools ? loaded : 1.0) * (trimmed ? 0.33 : 1.0);
    const double scratch = t < 0 ? 14 * loaded : 0.3;
    sample.own_anon_bytes = static_cast<std::uint64_t>((kv + scratch + 18) * double(kMiB));
    sample.own_file_bytes = static_cast<std::uint64_t>(
        (96 * loaded - 30 * (trimmed ? 0 : run.stall) * (t > 0)) * double(kMiB));
    if (run.pools) {
      PoolView view;
      view.kind = PoolKind::kv;
      view.resident_bytes = static_cast<std::uint64_t>(kv * double(kMiB));
      tick.observation.pools.push_back(view);
      view.kind = PoolKind::scratch;
      view.resident_bytes = static_cast<std::uint64_t>(scratch * double(kMiB));
      tick.observation.pools.push_back(view);
    }
    if (run.trim_at_s >= 0 && t >= run.trim_at_s && t < run.trim_at_s + 0.1) {
      Outcome outcome{.decision_id = 1, .verb = Verb::trim, .status = Status::done};
      outcome.t_us = sample.t_us;
      outcome.bytes_released = 34 * kMiB;
      outcome.tokens_trimmed = 1500;
      tick.observation.outcomes.push_back(outcome);
    }
    ticks.push_back(tick);
  }
  return ticks;
}

inline RunSummary example_summary(const ExampleRun& run) {
  RunSummary summary;
  summary.start_us = kZeroUs - static_cast<std::uint64_t>(run.lead_s * 1e6);
  summary.decode_start_us = kZeroUs;
  summary.decode_end_us = kZeroUs + static_cast<std::uint64_t>(run.seconds * 1e6);
  for (double t = 1 / run.tok_s; t <= run.seconds; t += 1 / run.tok_s) {
    summary.token_t_us.push_back(kZeroUs + static_cast<std::uint64_t>(t * 1e6));
  }
  summary.kv_resident_bytes = static_cast<std::uint64_t>(run.kv_mib * double(kMiB));
  return summary;
}

}  // namespace kvpsi::test
