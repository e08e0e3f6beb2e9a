// SPDX-License-Identifier: MIT
// How the variants differ on the command line, how `small` follows from psi, and where limits come
// from.
#include "bench/engine_flags.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

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
    const auto words = run_words(make_spec(variant, Squeeze::s2), {"j.jsonl", "p.jsonl"});
    EXPECT_EQ(value_of(words, "--governor"), "off");
    EXPECT_EQ(value_of(words, "--trim"), "");
    EXPECT_EQ(value_of(words, "--journal"), "j.jsonl");
    EXPECT_EQ(value_of(words, "--phases"), "p.jsonl");
  }
}

TEST(EngineFlags, PsiTrimsBelowTheLosslessFloorOnly) {
  EXPECT_EQ(value_of(run_words(make_spec(Variant::psi, Squeeze::s1), {"j", {}}), "--trim"), "off");
  const auto lossy = run_words(make_spec(Variant::psi, Squeeze::s2), {"j", {}});
  EXPECT_EQ(value_of(lossy, "--governor"), "on");
  EXPECT_EQ(value_of(lossy, "--trim"), "eager");
  EXPECT_EQ(value_of(lossy, "--keep"), "64");
  EXPECT_EQ(value_of(lossy, "--release"), "");
}

TEST(EngineFlags, PsiWaitsForItsContextWhereItMayTrim) {
  RunSpec spec = make_spec(Variant::psi, Squeeze::s2);
  spec.linger_s = 30;
  EXPECT_EQ(value_of(run_words(spec, {"j", {}}), "--linger-s"), "30");
  spec.variant = Variant::psi_strict;
  const auto strict = run_words(spec, {"j", {}});
  EXPECT_EQ(value_of(strict, "--governor"), "on");
  EXPECT_EQ(value_of(strict, "--trim"), "off");
  EXPECT_EQ(value_of(strict, "--linger-s"), "");
  spec.variant = Variant::fixed;
  EXPECT_EQ(value_of(run_words(spec, {"j", {}}), "--linger-s"), "");
}

TEST(EngineFlags, OnlyPsiHasASpillFile) {
  const auto spill_of = [](Variant variant, const std::string& dir) {
    RunSpec spec = make_spec(variant, Squeeze::s2);
    spec.spill_dir = dir;
    return value_of(run_words(spec, {"j", {}}), "--spill-dir");
  };
  EXPECT_EQ(spill_of(Variant::psi, ""), "") << "the engine chooses";
  EXPECT_EQ(spill_of(Variant::psi, "/d"), "/d");
  EXPECT_EQ(spill_of(Variant::psi_strict, "/d"), "/d");
  EXPECT_EQ(spill_of(Variant::release_only, "/d"), "off");
  EXPECT_EQ(spill_of(Variant::trim_only, "/d"), "off");
  EXPECT_EQ(spill_of(Variant::fixed, "/d"), "") << "stock has none";
}

TEST(EngineFlags, TenantsComeFromAFileOfTheirOwn) {
  RunSpec spec = make_spec(Variant::psi, Squeeze::s3);
  spec.tenants = 4;
  spec.then_tokens = 32;
  spec.prompts_file = "ps.jsonl";
  const auto words = run_words(spec, {"j", {}});
  EXPECT_EQ(value_of(words, "--parallel"), "4");
  EXPECT_EQ(value_of(words, "--prompts"), "ps.jsonl");
  EXPECT_EQ(value_of(words, "--file"), "");
  EXPECT_EQ(value_of(words, "--predict"), "");
  EXPECT_EQ(value_of(words, "--trim"), "off");
  EXPECT_EQ(value_of(words, "--rest-s"), "1");
  EXPECT_EQ(live_tokens(spec), 4 * 2000 + 300U);
  EXPECT_DOUBLE_EQ(most_seconds_after(spec), 1 + 3 * 20);
}

TEST(EngineFlags, OneTenantDecodesAndTheOthersHaveALaterTurn) {
  RunSpec spec = make_spec(Variant::psi, Squeeze::s3);
  spec.tenants = 3;
  spec.then_tokens = 32;
  std::vector<nlohmann::json> lines;
  std::istringstream text(make_prompts(spec));
  for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["predict"], 0);
  EXPECT_EQ(lines[0]["then"], 32);
  EXPECT_EQ(lines[1]["then"], 32);
  EXPECT_EQ(lines[2]["predict"], 300);
  EXPECT_EQ(lines[2]["then"], 0);
  EXPECT_NE(lines[0]["prompt"], lines[1]["prompt"]);
  const auto prompt = lines[2]["prompt"].get<std::string>();
  EXPECT_GE(std::ranges::count(prompt, ' '), 1900);
  EXPECT_EQ(make_prompts(spec), make_prompts(spec));
}

TEST(EngineFlags, HalvesOfPsi) {
  const auto release = run_words(make_spec(Variant::release_only, Squeeze::s2), {"j", {}});
  EXPECT_EQ(value_of(release, "--governor"), "on");
  EXPECT_EQ(value_of(release, "--trim"), "off");
  const auto trim = run_words(make_spec(Variant::trim_only, Squeeze::s2), {"j", {}});
  EXPECT_EQ(value_of(trim, "--trim"), "eager");
  EXPECT_EQ(value_of(trim, "--release"), "off");
}

TEST(EngineFlags, AllVariantsDecodeTheSameWay) {
  for (const auto variant : {Variant::unsqueezed, Variant::fixed, Variant::psi}) {
    const auto words = run_words(make_spec(variant, Squeeze::s1), {"j", {}});
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
  const auto words = run_words(spec, {"j", {}});
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
  EXPECT_EQ(limit_below_floor(context), static_cast<std::uint64_t>(237.5 * kMiB));
  EXPECT_EQ(limit_reference(100 * kMiB, 6000 * kMiB), 6086 * kMiB);
}

TEST(Calibrate, FloorComesFromTheSummary) {
  EngineSummary summary;
  summary.rss_anon_bytes = 100;
  summary.at_end.kv_resident_bytes = 60;
  summary.scratch_resident_bytes = 15;
  summary.weights_file_bytes = 90;
  summary.kv_bytes_per_cell = 2;
  SqueezeContext context;
  fill_floor(summary, 30, context);
  EXPECT_EQ(context.base_bytes, 25U);
  EXPECT_EQ(context.weights_bytes, 90U);
  EXPECT_EQ(context.live_kv_bytes, 60U);
  summary.at_end.kv_resident_bytes = 200;  // measured a moment later than the rest
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
  std::vector<TrialTexts> texts;
  for (const char* text :
       {"the cat", "the cat sat down", "the cat sat", "the dog", "the cat", ""}) {
    texts.push_back({text, {}});
  }
  compare_texts(results, texts, Squeeze::s1);
  EXPECT_EQ(results.trials[0].text_equal, true);
  EXPECT_FALSE(results.trials[1].text_equal) << "it is the reference";
  EXPECT_EQ(results.trials[2].text_equal, true);
  EXPECT_EQ(results.trials[3].text_equal, false);
  EXPECT_FALSE(results.trials[4].text_equal);
  EXPECT_FALSE(results.trials[5].text_equal) << "it has no text";
}

TEST(JudgeSqueeze, LaterTurnsAreComparedOneByOne) {
  BenchResults results;
  std::vector<TrialTexts> texts;
  const auto add = [&](Variant variant, std::vector<std::string> turns) {
    Trial& trial = results.trials.emplace_back();
    trial.squeeze = Squeeze::s3;
    trial.variant = variant;
    trial.idle.emplace().turns = turns.size();
    texts.push_back({"the cat", std::move(turns)});
  };
  add(Variant::unsqueezed, {"a", "b", "c"});
  add(Variant::psi, {"a", "b", "c"});
  add(Variant::psi, {"a", "b and", "c"});
  add(Variant::fixed, {"a"});
  compare_texts(results, texts, Squeeze::s3);
  EXPECT_FALSE(results.trials[0].idle->turns_equal) << "it is the reference";
  EXPECT_EQ(results.trials[1].idle->turns_equal, 3U);
  EXPECT_EQ(results.trials[2].idle->turns_equal, 2U) << "a longer one is another text here";
  EXPECT_EQ(results.trials[3].idle->turns_equal, 1U);
}

TEST(JudgeSqueeze, TextsAreTakenOutOfASummary) {
  EngineSummary summary;
  summary.text = "of all";
  EXPECT_EQ(take_texts(summary).decoded, "of all");
  summary.conversations.resize(3);
  summary.conversations[0].idle = summary.conversations[1].idle = true;
  summary.conversations[0].then_decoded = 2;
  summary.conversations[0].then_text = "later";
  summary.conversations[2].text = "now";
  const TrialTexts texts = take_texts(summary);
  EXPECT_EQ(texts.decoded, "now");
  EXPECT_EQ(texts.later_turns, std::vector<std::string>{"later"});
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
