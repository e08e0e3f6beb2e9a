// SPDX-License-Identifier: MIT
// How the variants differ on the command line, how `small` follows from psi, and where limits come
// from.
#include "bench/engine_flags.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/bytes.h"
#include "bench/calibrate.h"
#include "bench/judge_squeeze.h"
#include "bench/schedule.h"

namespace kvpsi {
namespace {

RunSpec make_spec(Variant variant, Squeeze squeeze) {
  RunSpec spec;
  spec.variant = variant;
  spec.squeeze = squeeze;
  spec.model = "m.gguf";
  spec.prompt_file = "p.txt";
  spec.n_ctx = 2304;
  spec.prompt_tokens = 2000;
  spec.n_predict = 300;
  return spec;
}

/// The word after `flag`; "" where the flag is not there.
std::string value_of(const std::vector<std::string>& words, const std::string& flag) {
  const auto found = std::ranges::find(words, flag);
  return found == words.end() || found + 1 == words.end() ? "" : *(found + 1);
}

TEST(EngineFlags, StockVariantsAreUngovernedAndRecordAllTheSame) {
  for (const auto variant : {Variant::unsqueezed, Variant::fixed, Variant::small}) {
    const auto words = run_words(make_spec(variant, Squeeze::s2), "j.jsonl");
    EXPECT_EQ(value_of(words, "--governor"), "off");
    EXPECT_EQ(value_of(words, "--trim"), "");
    EXPECT_EQ(value_of(words, "--journal"), "j.jsonl");
  }
}

TEST(EngineFlags, PsiTrimsBelowTheLosslessFloorOnly) {
  EXPECT_EQ(value_of(run_words(make_spec(Variant::psi, Squeeze::s1), "j"), "--trim"), "off");
  const auto lossy = run_words(make_spec(Variant::psi, Squeeze::s2), "j");
  EXPECT_EQ(value_of(lossy, "--governor"), "on");
  EXPECT_EQ(value_of(lossy, "--trim"), "eager");
  EXPECT_EQ(value_of(lossy, "--keep"), "64");
  EXPECT_EQ(value_of(lossy, "--release"), "");
}

TEST(EngineFlags, HalvesOfPsi) {
  const auto release = run_words(make_spec(Variant::release_only, Squeeze::s2), "j");
  EXPECT_EQ(value_of(release, "--governor"), "on");
  EXPECT_EQ(value_of(release, "--trim"), "off");
  const auto trim = run_words(make_spec(Variant::trim_only, Squeeze::s2), "j");
  EXPECT_EQ(value_of(trim, "--trim"), "eager");
  EXPECT_EQ(value_of(trim, "--release"), "off");
}

TEST(EngineFlags, AllVariantsDecodeTheSameWay) {
  for (const auto variant : {Variant::unsqueezed, Variant::fixed, Variant::psi}) {
    const auto words = run_words(make_spec(variant, Squeeze::s1), "j");
    EXPECT_EQ(value_of(words, "--temp"), "0");
    EXPECT_EQ(value_of(words, "--time-max"), "20");
    EXPECT_EQ(value_of(words, "--threads"), "1");
    EXPECT_NE(std::ranges::find(words, "--ignore-eos"), words.end());
  }
}

TEST(EngineFlags, SmallIsTheSizeThatPsiEndedWith) {
  RunSpec spec = make_spec(Variant::small, Squeeze::s2);
  size_small(spec, {900, 300});
  EXPECT_EQ(spec.prompt_total, 600U);
  EXPECT_EQ(spec.n_ctx, 1024U);  // 600 + 300, in blocks of 256
  const auto words = run_words(spec, "j");
  EXPECT_EQ(value_of(words, "--prompt-head"), "64");
  EXPECT_EQ(value_of(words, "--prompt-total"), "600");
}

TEST(EngineFlags, SmallKeepsAtLeastHeadAndTailAndAtMostThePrompt) {
  RunSpec spec = make_spec(Variant::small, Squeeze::s2);
  size_small(spec, {330, 300});  // a trim that ate decoded tokens
  EXPECT_EQ(spec.prompt_total, 320U);
  size_small(spec, {2300, 300});  // psi did not trim
  EXPECT_EQ(spec.prompt_total, 2000U);
  size_small(spec, {0, 0});
  EXPECT_EQ(spec.prompt_total, 320U);
}

TEST(EngineFlags, PressWords) {
  PressSpec spec;
  spec.anon_bytes = 75 * kMiB + 1;
  spec.file_bytes = 25 * kMiB;
  const auto words = press_words(spec, 1e9, "/out", "r.log");
  EXPECT_EQ(value_of(words, "--mib"), "76");
  EXPECT_EQ(value_of(words, "--file-mib"), "25");
  EXPECT_EQ(value_of(words, "--for"), "3600");
  EXPECT_EQ(std::ranges::find(words, "--force"), words.end());
}

TEST(Calibrate, LimitsFollowTheDesign) {
  EXPECT_EQ(limit_s1(1000 * kMiB), 860 * kMiB);
  SqueezeContext context;
  context.weights_bytes = 92 * kMiB;
  context.base_bytes = 8 * kMiB;
  context.live_kv_bytes = 50 * kMiB;
  context.neighbour_bytes = 100 * kMiB;
  EXPECT_EQ(limit_s2(context), static_cast<std::uint64_t>(237.5 * kMiB));
  EXPECT_EQ(limit_reference(100 * kMiB, 6000 * kMiB), 6086 * kMiB);
}

TEST(Calibrate, FloorComesFromTheSummary) {
  EngineSummary summary;
  summary.rss_anon_bytes = 100;
  summary.kv_resident_bytes = 60;
  summary.scratch_resident_bytes = 15;
  summary.weights_file_bytes = 90;
  summary.kv_bytes_per_cell = 2;
  SqueezeContext context;
  fill_floor(summary, 30, context);
  EXPECT_EQ(context.base_bytes, 25U);
  EXPECT_EQ(context.weights_bytes, 90U);
  EXPECT_EQ(context.live_kv_bytes, 60U);
  summary.kv_resident_bytes = 200;  // measured a moment later than the rest
  fill_floor(summary, 30, context);
  EXPECT_EQ(context.base_bytes, 0U);
}

TEST(Schedule, LearnsFromRunsThatEnded) {
  Durations durations;
  EXPECT_GT(durations.estimate(Squeeze::s1, Variant::psi), 0);
  durations.add(Squeeze::s1, Variant::fixed, 60);
  durations.add(Squeeze::s1, Variant::psi, 20);
  durations.add(Squeeze::s1, Variant::psi, 30);
  EXPECT_DOUBLE_EQ(durations.estimate(Squeeze::s1, Variant::psi), 25);
  EXPECT_NEAR(durations.estimate(Squeeze::s2, Variant::small), 110.0 / 3, 1e-9);
  const std::vector<PlannedRun> left = {{1, Squeeze::s1, Order::fixed_first, 0, Variant::psi},
                                        {1, Squeeze::s1, Order::fixed_first, 1, Variant::fixed}};
  EXPECT_DOUBLE_EQ(durations.estimate(left), 85);
}

TEST(JudgeSqueeze, TextsAreComparedWithTheLongestStockRun) {
  BenchResults results;
  const auto add = [&](Variant variant) { results.trials.emplace_back().variant = variant; };
  add(Variant::fixed);
  add(Variant::unsqueezed);
  add(Variant::psi);
  add(Variant::psi);
  add(Variant::small);
  add(Variant::psi);
  const std::vector<std::string> texts = {"the cat", "the cat sat down", "the cat sat",
                                          "the dog", "the cat",          ""};
  compare_texts(results, texts, Squeeze::s1);
  EXPECT_EQ(results.trials[0].text_equal, true);
  EXPECT_FALSE(results.trials[1].text_equal) << "it is the reference";
  EXPECT_EQ(results.trials[2].text_equal, true);
  EXPECT_EQ(results.trials[3].text_equal, false);
  EXPECT_FALSE(results.trials[4].text_equal);
  EXPECT_FALSE(results.trials[5].text_equal) << "it has no text";
}

TEST(JudgeSqueeze, PressureIsSeenInStallKillsAndFailures) {
  BenchResults results;
  SqueezeContext context;
  EXPECT_TRUE(pressure_arose(results, context)) << "nothing measured is no proof of calm";
  Trial& trial = results.trials.emplace_back();
  trial.external_psi = StallPct{0.1, 0};
  EXPECT_FALSE(pressure_arose(results, context));
  trial.external_psi = StallPct{1.0, 0};
  EXPECT_TRUE(pressure_arose(results, context));
  trial.external_psi = StallPct{0, 0};
  trial.oom_kills = 1;
  EXPECT_TRUE(pressure_arose(results, context));
  trial.oom_kills = 0;
  trial.variant = Variant::psi;
  context.limit_bytes = kMiB;
  EXPECT_TRUE(pressure_arose(results, context)) << "psi may keep out of stall under a limit";
}

}  // namespace
}  // namespace kvpsi
