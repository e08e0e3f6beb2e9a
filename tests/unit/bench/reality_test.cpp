// SPDX-License-Identifier: MIT
// Real against simulated: sizes of the squeezes, verdicts, what is missing, the record both ways.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "base/bytes.h"
#include "bench/reality_record.h"
#include "bench/reality_rows.h"
#include "bench/reality_scenario.h"

namespace kvpsi {
namespace {

RealitySizes measured_sizes() {
  RealitySizes sizes;
  sizes.weights_bytes = 92 * kMiB;
  sizes.bytes_per_token = 23040;
  sizes.granule_bytes = 240 * kKiB;
  sizes.n_ctx = 8192;
  sizes.prompt_tokens = 1500;
  sizes.onset_tokens = 1600;
  sizes.used_bytes = 152 * kMiB;
  sizes.scratch_bytes = 3764224;
  sizes.neighbour_overhead_bytes = 700 * kKiB;
  sizes.tokens_per_s = 45;
  sizes.prefill_tokens_per_s = 128;
  return sizes;
}

RealityRun run_of(SqueezeKind kind, std::uint32_t repetition, double first_action_s) {
  RealityRun run;
  run.kind = kind;
  run.repetition = repetition;
  run.journal = "journal.jsonl";
  run.times.calm_at_onset = true;
  run.times.first_action_s = first_action_s;
  run.times.highest_level = Level::high;
  run.times.full_size_s = 40;
  run.times.followed_s = 50;
  return run;
}

const RealityRow& find_row(const std::vector<RealityRow>& rows, std::string_view metric) {
  for (const RealityRow& row : rows) {
    if (row.metric == metric) return row;
  }
  ADD_FAILURE() << "no row " << metric;
  return rows.front();
}

TEST(RealityPlan, LossyLacksATwentiethAndTheWholeCacheFitsWithoutTheNeighbour) {
  const RealitySizes sizes = measured_sizes();
  for (const SqueezeKind kind : {SqueezeKind::step_lossy, SqueezeKind::ramp}) {
    const RealityPlan plan = make_reality_plan(kind, sizes);
    const std::uint64_t needed =
        sizes.used_bytes + plan.neighbour_bytes + sizes.neighbour_overhead_bytes;
    EXPECT_NEAR(static_cast<double>(plan.limit_bytes) / static_cast<double>(needed), kLossyShare,
                0.003);
    const std::uint64_t rest = sizes.used_bytes - sizes.onset_tokens * sizes.bytes_per_token;
    EXPECT_GT(plan.limit_bytes, rest + sizes.n_ctx * sizes.bytes_per_token);
    EXPECT_EQ(plan.neighbour_bytes % kMiB, 0U);
    EXPECT_TRUE(plan.trims);
  }
  EXPECT_NEAR(make_reality_plan(SqueezeKind::ramp, sizes).ramp_s(), kRampSeconds, 1e-6);
}

TEST(RealityPlan, LosslessLacksHalfOfWhatReleasingGives) {
  const RealitySizes sizes = measured_sizes();
  const RealityPlan plan = make_reality_plan(SqueezeKind::step_lossless, sizes);
  const std::uint64_t needed =
      sizes.used_bytes + plan.neighbour_bytes + sizes.neighbour_overhead_bytes;
  EXPECT_NEAR(static_cast<double>(needed - plan.limit_bytes),
              static_cast<double>(sizes.scratch_bytes) / 2, 8192);
  EXPECT_FALSE(plan.trims);
}

TEST(RealityPlan, TheLoweredLimitNeedsNoNeighbour) {
  const RealitySizes sizes = measured_sizes();
  const RealityPlan plan = make_reality_plan(SqueezeKind::limit_lowered, sizes);
  EXPECT_EQ(plan.neighbour_bytes, 0U);
  EXPECT_LT(plan.lowered_limit_bytes, sizes.used_bytes);
  EXPECT_GT(plan.limit_bytes, sizes.used_bytes);
}

TEST(RealityPlan, OnsetsTakeEveryPlaceOnceAndTheFirstOnesAreSpreadToo) {
  for (const std::uint32_t n : {1U, 2U, 3U, 10U, 12U}) {
    std::set<int> places;
    for (std::uint32_t i = 1; i <= n; ++i) {
      places.insert(static_cast<int>(find_onset_phase(i, n) * n));
    }
    EXPECT_EQ(places.size(), n);
    EXPECT_LT(*places.rbegin(), static_cast<int>(n));
  }
  const auto [lo, hi] = std::minmax({find_onset_phase(1, 10), find_onset_phase(2, 10)});
  EXPECT_GT(hi - lo, 0.25);
}

TEST(RealityScenario, BothSidesHaveTheSameBytes) {
  const RealitySizes sizes = measured_sizes();
  const RealityPlan plan = make_reality_plan(SqueezeKind::step_lossy, sizes);
  const Scenario scenario = make_reality_scenario(plan, sizes, 0.25, 70);
  EXPECT_EQ(vary_scenario(scenario, 7).neighbours[0].bytes, scenario.neighbours[0].bytes);
  EXPECT_EQ(scenario.neighbours[0].bytes, plan.neighbour_bytes + sizes.neighbour_overhead_bytes);
  EXPECT_EQ(scenario.group.limit_bytes, plan.limit_bytes);
  EXPECT_NEAR(scenario.neighbours[0].start_s, 1500 / 128.0 + 100 / 45.0 + 0.25, 1e-9);
  EXPECT_NEAR(scenario.neighbours[0].end_s - scenario.neighbours[0].start_s, plan.hold_s, 1e-9);
}

TEST(RealityScenario, TheSimulatedSqueezeIsActedUpon) {
  const RealitySizes sizes = measured_sizes();
  const RealityPlan plan = make_reality_plan(SqueezeKind::step_lossy, sizes);
  const auto all = simulate_squeeze(plan, sizes, 3, 30);
  ASSERT_EQ(all.size(), 3U);
  for (const SqueezeTimes& times : all) {
    EXPECT_TRUE(times.calm_at_onset);
    ASSERT_TRUE(times.first_action_s);
    EXPECT_LT(*times.first_action_s, plan.hold_s);
    EXPECT_GT(times.bytes_returned, 0U);
    EXPECT_NEAR(times.followed_s, 30, 1);
  }
}

TEST(RealityRows, TheIntervalDecidesTheVerdict) {
  const std::vector<double> simulated = {1.0, 1.0, 1.0};
  const std::vector<double> near = {0.9, 1.0, 1.0, 1.1, 1.0};
  EXPECT_EQ(compare_medians(near, simulated, 0.3, 1).verdict, "within");
  const std::vector<double> far = {2.0, 2.1, 2.0, 1.9, 2.2};
  const RealityRow outside = compare_medians(far, simulated, 0.3, 1);
  EXPECT_EQ(outside.verdict, "outside");
  EXPECT_DOUBLE_EQ(outside.ratio, 2.0);
  const std::vector<double> wide = {0.5, 0.6, 1.0, 1.7, 1.8};
  EXPECT_EQ(compare_medians(wide, simulated, 0.3, 1).verdict, "inconclusive");
  EXPECT_EQ(compare_medians(std::array{1.0, 1.0}, simulated, 0.3, 1).verdict, "inconclusive");
  EXPECT_EQ(compare_medians(near, {}, 0.3, 1).verdict, "inconclusive");
  EXPECT_EQ(compare_medians(near, simulated, 0, 1).verdict, "");
}

TEST(RealityRows, AnAimHoldsOnlyIfNobodyMissesItAndAllWereFollowed) {
  const std::vector<double> good = {0, 0.5, 1, 1, 1.5};
  EXPECT_EQ(judge_aim(good, 0, 1.5).verdict, "within");
  EXPECT_EQ(judge_aim(good, 1, 1.5).verdict, "inconclusive");
  EXPECT_EQ(judge_aim(std::array{0.0, 0.5, 1.0, 1.0, 1.6}, 0, 1.5).verdict, "inconclusive");
  EXPECT_EQ(judge_aim(std::array{0.0, 0.5, 2.0, 2.0, 2.0}, 0, 1.5).verdict, "outside");
  EXPECT_EQ(judge_aim(std::array{0.5, 0.5}, 0, 1.5).verdict, "inconclusive");
}

TEST(RealityRows, FullSizeIsJudgedWhereHighWasReachedAndARelapseFails) {
  std::vector<RealityRun> runs;
  for (std::uint32_t i = 1; i <= 6; ++i) runs.push_back(run_of(SqueezeKind::ramp, i, 1));
  runs[5].times.highest_level = Level::elevated;
  auto row = find_row(judge_reality(runs, {}, 1), "full size after relief from high");
  EXPECT_EQ(row.n_real, 5U);
  EXPECT_EQ(row.verdict, "within");
  runs[0].times.full_size_s.reset();
  row = find_row(judge_reality(runs, {}, 1), "full size after relief from high");
  EXPECT_EQ(row.n_real, 4U);  // followed for 50 s only: nobody knows
  EXPECT_EQ(row.verdict, "inconclusive");
  runs[0].times.followed_s = 70;
  row = find_row(judge_reality(runs, {}, 1), "full size after relief from high");
  EXPECT_DOUBLE_EQ(row.real_hi, 70);
  runs[1].times.relapsed = true;
  EXPECT_EQ(find_row(judge_reality(runs, {}, 1), "full size after relief from high").verdict,
            "outside");
}

TEST(RealityRows, WhatDoesNotCountIsSaidToBeMissing) {
  std::vector<RealityRun> runs = {run_of(SqueezeKind::ramp, 1, 1), run_of(SqueezeKind::ramp, 2, 1)};
  runs[0].exit = "oom-killed";
  runs[1].times.calm_at_onset = false;
  const auto missing = find_missing(runs, 1);
  ASSERT_EQ(missing.size(), 6U);
  EXPECT_EQ(missing[2], "ramp 1 does not count: oom-killed");
  EXPECT_EQ(missing[3], "ramp 2 does not count: not calm at its onset");
  EXPECT_EQ(missing[4], "ramp: 0 of 1 repetitions");
  EXPECT_TRUE(judge_reality(runs, {}, 1).empty());
}

TEST(RealityRecord, IsReadBackAsItWasWritten) {
  RealityRecord record;
  record.context.model_sha256 = "abc";
  record.sizes = measured_sizes();
  record.runs = {run_of(SqueezeKind::limit_lowered, 3, 0.4)};
  record.runs[0].onset_us = 123;
  const auto read = parse_reality(to_json(record));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->sizes, record.sizes);
  EXPECT_EQ(read->context.model_sha256, "abc");
  ASSERT_EQ(read->runs.size(), 1U);
  EXPECT_EQ(read->runs[0].kind, SqueezeKind::limit_lowered);
  EXPECT_EQ(read->runs[0].onset_us, 123U);
  EXPECT_EQ(read->runs[0].journal, "journal.jsonl");
}

TEST(RealityRecord, DamageIsRefused) {
  const std::string whole = to_json(RealityRecord{});
  for (const std::size_t length : {std::size_t{0}, whole.size() / 2, whole.size() - 3}) {
    EXPECT_FALSE(parse_reality(whole.substr(0, length)));
  }
  EXPECT_FALSE(parse_reality(R"({"schema":"kvpsi.bench/1"})"));
  EXPECT_FALSE(parse_squeeze_kind("S9"));
}

}  // namespace
}  // namespace kvpsi
