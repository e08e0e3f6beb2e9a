// SPDX-License-Identifier: MIT
// A small benchmark's results for the tests of report: numbers are made up, shapes are real.
#pragma once

#include <vector>

#include "bench/results.h"

namespace kvpsi::test {

inline Trial example_trial(std::uint32_t trial, Squeeze squeeze, Order order,
                           std::uint32_t position, Variant variant, double tok_s) {
  Trial t;
  t.trial = trial;
  t.squeeze = squeeze;
  t.order = order;
  t.position = position;
  t.variant = variant;
  t.stop_reason = "length";
  t.prompt_tokens = 2000;
  t.n_ctx = 8192;
  t.decoded = 300;
  t.tok_s = tok_s;
  t.latency_ms = {1000 / tok_s, 1500 / tok_s, 2000 / tok_s};
  t.kv_final_tokens = 2300;
  t.kv_bytes_resident_final = 52 << 20;
  t.own_psi = StallPct{0.1, 0.05};
  t.external_psi = StallPct{0.2, 0.1};
  t.neighbour = NeighbourRate{50.0 + trial, 21.5};
  t.limit_bytes = 270ULL << 20;
  return t;
}

inline BenchContext example_context() {
  BenchContext context;
  context.host = "box";
  context.kernel = "6.18.1";
  context.cpu = "2 x Example CPU";
  context.psi = "present, 2 s windows";
  context.cgroup = "hybrid";
  context.swap = "none";
  context.thp = "madvise";
  context.model = "SmolLM2-135M-Instruct.Q4_1.gguf";
  context.llama_commit = "0c1e57098";
  context.kvpsi_version = "0.1.0";
  context.flags = "--trials 1 --seed 7";
  context.seed = 7;
  context.started_s = 1'767'225'600;
  context.complete = true;
  context.trials_planned = 7;
  context.warnings = {"the host's clock source is not tsc: times are coarse"};
  SqueezeContext s1{.squeeze = Squeeze::s1,
                    .scope = "cgroup",
                    .limit_rule = "0.86 x the 314 MiB that fixed needs",
                    .limit_bytes = 270ULL << 20,
                    .fixed_peak_bytes = 314ULL << 20,
                    .weights_bytes = 94ULL << 20,
                    .live_kv_bytes = 52ULL << 20,
                    .neighbour_bytes = 100ULL << 20,
                    .n_ctx = 8192,
                    .prompt_tokens = 2000,
                    .n_predict = 300,
                    .neighbour_alone = NeighbourRate{53.0, 20.1}};
  SqueezeContext s2 = s1;
  s2.squeeze = Squeeze::s2;
  s2.limit_bytes = 240ULL << 20;
  s2.limit_rule = "0.95 x (weights + base + live KV + neighbour)";
  context.squeezes = {s1, s2};
  return context;
}

inline void add_s1_trials(std::vector<Trial>& trials) {
  using enum Variant;
  trials.push_back(example_trial(1, Squeeze::s1, Order::fixed_first, 0, unsqueezed, 38.5));
  trials.back().limit_bytes = 0;
  trials.push_back(example_trial(1, Squeeze::s1, Order::fixed_first, 1, fixed, 3.2));
  trials.back().own_psi = StallPct{41.3, 40.2};
  trials.back().stop_reason = "time";
  trials.back().decoded = 64;
  trials.back().kv_bytes_resident_final = 180 << 20;
  trials.push_back(example_trial(1, Squeeze::s1, Order::fixed_first, 2, psi, 37.9));
  trials.back().kv_bytes_released = 130 << 20;
  trials.back().text_equal = true;
}

inline void add_s2_trials(std::vector<Trial>& trials) {
  using enum Variant;
  trials.push_back(example_trial(2, Squeeze::s2, Order::psi_first, 0, psi, 28.4));
  trials.back().prunes = 1;
  trials.back().tokens_trimmed = 1680;
  trials.back().tokens_restored = 1500;
  trials.back().tokens_reevaluated = 100;
  trials.back().tokens_out = 80;
  trials.back().spilled_bytes = 36 << 20;
  trials.back().restored_bytes = 33 << 20;
  trials.back().reduced_context_s = 14.25;
  trials.back().rest_s = 6;
  trials.back().kv_final_tokens = 620;
  trials.back().text_equal = false;
  trials.push_back(example_trial(2, Squeeze::s2, Order::psi_first, 1, fixed, 4.3));
  trials.back().exit = "oom-killed";
  trials.back().oom_kills = 1;
  trials.back().neighbour.reset();
  trials.push_back(example_trial(3, Squeeze::s2, Order::fixed_first, 0, fixed, 4.2));
  trials.push_back(example_trial(3, Squeeze::s2, Order::fixed_first, 1, psi, 27.0));
  trials.back().reaction_ms = 310;
}

/// One trial of S3: psi gives half of what waits, and a later turn of fixed differs.
inline void add_s3_trials(std::vector<Trial>& trials) {
  using enum Variant;
  std::uint32_t position = 0;
  for (const auto variant : {unsqueezed, fixed, psi}) {
    trials.push_back(example_trial(4, Squeeze::s3, Order::fixed_first, position++, variant,
                                   variant == fixed ? 5.1 : 33.3));
    IdleTenants& idle = trials.back().idle.emplace();
    idle.kv_bytes = 99 << 20;
    idle.turns = 3;
    idle.first_token_ms_median = 31;
    idle.first_token_ms_max = 35;
    idle.prefill_ms = 10'300;
    if (variant == unsqueezed) continue;
    trials.back().text_equal = true;
    idle.turns_equal = variant == fixed ? 2 : 3;
  }
  trials.back().spilled_bytes = trials.back().restored_bytes = 50 << 20;
  trials.back().idle->kv_bytes_returned = 50 << 20;
}

/// One trial of S1 and two of S2, with a supported, an open and a contradicted claim.
inline BenchResults example_results() {
  BenchResults results;
  results.context = example_context();
  add_s1_trials(results.trials);
  add_s2_trials(results.trials);
  results.verdicts = {
      {"S1 psi/unsqueezed tok_s", 0.984, 0.95, 1.01, std::nullopt, 3,
       "supported: psi keeps 0.98 of the unsqueezed speed"},
      {"S1 psi/fixed tok_s", 11.84, std::nullopt, std::nullopt, std::nullopt, 1,
       "inconclusive: one pair only"},
      {"S2 psi/fixed tok_s", 0.61, 0.5, 0.72, 1.03, 4,
       "contradicted: psi is slower than fixed in this squeeze, and the whole interval says so"},
  };
  return results;
}

}  // namespace kvpsi::test
