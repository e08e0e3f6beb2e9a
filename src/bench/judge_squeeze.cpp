// SPDX-License-Identifier: MIT
// See judge_squeeze.h.
#include "bench/judge_squeeze.h"

#include <algorithm>
#include <utility>

namespace kvpsi {
namespace {

bool is_stock(Variant variant) {
  return variant == Variant::unsqueezed || variant == Variant::fixed;
}

bool is_prefix_of_other(const std::string& a, const std::string& b) {
  return a.size() > b.size() ? a.starts_with(b) : b.starts_with(a);
}

std::uint64_t count_equal(const TrialTexts& reference, const TrialTexts& other) {
  std::uint64_t equal = 0;
  const auto turns = std::min(reference.later_turns.size(), other.later_turns.size());
  for (std::size_t i = 0; i < turns; ++i) {
    equal += reference.later_turns[i] == other.later_turns[i] ? 1 : 0;
  }
  return equal;
}

}  // namespace

bool pressure_arose(const BenchResults& results, const SqueezeContext& context) {
  bool measured = false;
  bool fixed_ran = false;
  for (const Trial& trial : results.trials) {
    if (trial.squeeze != context.squeeze || trial.variant == Variant::unsqueezed) continue;
    fixed_ran = fixed_ran || trial.variant == Variant::fixed;
    measured = measured || trial.external_psi.has_value();
    if (trial.oom_kills > 0 || trial.exit != "ok") return true;
    if (trial.external_psi && trial.external_psi->some_pct >= kPressurePct) return true;
  }
  return !measured || (context.limit_bytes > 0 && !fixed_ran);
}

TrialTexts take_texts(EngineSummary& summary) {
  TrialTexts texts;
  texts.decoded = std::move(summary.text);
  for (ConversationSummary& conversation : summary.conversations) {
    if (!conversation.idle) texts.decoded = std::move(conversation.text);
    if (conversation.then_decoded > 0) {
      texts.later_turns.push_back(std::move(conversation.then_text));
    }
  }
  return texts;
}

void compare_texts(BenchResults& results, std::span<const TrialTexts> texts, Squeeze squeeze) {
  const TrialTexts* reference = nullptr;
  for (std::size_t i = 0; i < results.trials.size(); ++i) {
    const Trial& trial = results.trials[i];
    if (trial.squeeze != squeeze || !is_stock(trial.variant) || texts[i].decoded.empty()) continue;
    if (reference == nullptr || texts[i].decoded.size() > reference->decoded.size()) {
      reference = &texts[i];
    }
  }
  if (reference == nullptr) return;
  for (std::size_t i = 0; i < results.trials.size(); ++i) {
    Trial& trial = results.trials[i];
    if (trial.squeeze != squeeze || trial.variant == Variant::small || texts[i].decoded.empty() ||
        &texts[i] == reference) {
      continue;
    }
    trial.text_equal = is_prefix_of_other(reference->decoded, texts[i].decoded);
    if (trial.idle) trial.idle->turns_equal = count_equal(*reference, texts[i]);
  }
}

}  // namespace kvpsi
