// SPDX-License-Identifier: MIT
// See verdict_account.h.
#include "bench/verdict_account.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>

#include "bench/stats.h"
#include "bench/verdict.h"

namespace kvpsi {
namespace {

std::vector<Trial> psi_trials(const BenchResults& results, Squeeze squeeze) {
  std::vector<Trial> trials;
  for (const Trial& trial : results.trials) {
    if (trial.squeeze == squeeze && trial.variant == Variant::psi && trial.exit == "ok") {
      trials.push_back(trial);
    }
  }
  return trials;
}

std::string decide_words(std::size_t runs, std::size_t holding, bool pressure_arose) {
  if (!pressure_arose) return "inconclusive: no pressure arose, so nothing was put to the test";
  if (holding < runs) return "contradicted";
  if (runs >= kLeastPairs) return "supported";
  return fmt::format("inconclusive: {} run{}, the rule needs {}", runs, runs == 1 ? "" : "s",
                     kLeastPairs);
}

/// Nothing trimmed, and the same text everywhere.
bool is_lossless(const Trial& trial) {
  if (trial.tokens_trimmed > 0 || !trial.text_equal.value_or(false)) return false;
  return !trial.idle || trial.idle->turns_equal == trial.idle->turns;
}

void judge_texts(const std::vector<Trial>& all, const SqueezeContext& context,
                 std::vector<Verdict>& verdicts) {
  std::vector<Trial> compared;
  std::ranges::copy_if(all, std::back_inserter(compared),
                       [](const Trial& trial) { return trial.text_equal.has_value(); });
  if (compared.empty()) return;
  const auto holding = static_cast<std::size_t>(std::ranges::count_if(compared, is_lossless));
  std::uint64_t turns = 0;
  std::uint64_t turns_equal = 0;
  std::uint64_t trimmed = 0;
  for (const Trial& trial : compared) {
    trimmed += trial.tokens_trimmed;
    turns += trial.idle ? trial.idle->turns : 0;
    turns_equal += trial.idle ? trial.idle->turns_equal.value_or(0) : 0;
  }
  Verdict verdict;
  verdict.metric = fmt::format("{} psi runs lossless/all", name(context.squeeze));
  verdict.ratio_median = static_cast<double>(holding) / static_cast<double>(compared.size());
  verdict.n = static_cast<std::uint32_t>(compared.size());
  verdict.words = decide_words(compared.size(), holding, context.pressure_arose) +
                  fmt::format(" ({}: {} of {} runs", verdict.metric, holding, compared.size());
  if (turns > 0) verdict.words += fmt::format(", {} of {} later turns equal", turns_equal, turns);
  verdict.words +=
      fmt::format(", {} tokens trimmed; claim: every text equal, nothing trimmed)", trimmed);
  verdicts.push_back(std::move(verdict));
}

void judge_return(const std::vector<Trial>& all, const SqueezeContext& context,
                  std::vector<Verdict>& verdicts) {
  std::vector<double> shares;
  std::size_t holding = 0;
  Trial sum;
  for (const Trial& trial : all) {
    if (trial.tokens_trimmed == 0) continue;
    const std::uint64_t missing = trial.tokens_lost + trial.tokens_out;
    holding += missing == 0 ? 1 : 0;
    shares.push_back(1 - static_cast<double>(missing) / static_cast<double>(trial.tokens_trimmed));
    sum.tokens_trimmed += trial.tokens_trimmed;
    sum.tokens_restored += trial.tokens_restored;
    sum.tokens_reevaluated += trial.tokens_reevaluated;
    sum.tokens_lost += trial.tokens_lost;
    sum.tokens_out += trial.tokens_out;
  }
  if (shares.empty()) return;
  Verdict verdict;
  verdict.metric = fmt::format("{} psi tokens back/trimmed", name(context.squeeze));
  verdict.ratio_median = median(shares);
  verdict.n = static_cast<std::uint32_t>(shares.size());
  verdict.words =
      decide_words(shares.size(), holding, context.pressure_arose) +
      fmt::format(
          " ({}: all back in {} of {} runs; of {} tokens {} restored, {} evaluated anew, {} "
          "lost, {} still out; claim: all back in every run)",
          verdict.metric, holding, shares.size(), sum.tokens_trimmed, sum.tokens_restored,
          sum.tokens_reevaluated, sum.tokens_lost, sum.tokens_out);
  verdicts.push_back(std::move(verdict));
}

}  // namespace

std::vector<Verdict> judge_account(const BenchResults& results, const SqueezeContext& context) {
  std::vector<Verdict> verdicts;
  const auto trials = psi_trials(results, context.squeeze);
  if (may_trim(context.squeeze)) {
    judge_return(trials, context, verdicts);
  } else {
    judge_texts(trials, context, verdicts);
  }
  return verdicts;
}

}  // namespace kvpsi
