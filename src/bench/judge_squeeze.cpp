// SPDX-License-Identifier: MIT
// See judge_squeeze.h.
#include "bench/judge_squeeze.h"

#include <algorithm>

namespace kvpsi {
namespace {

bool is_stock(Variant variant) {
  return variant == Variant::unsqueezed || variant == Variant::fixed;
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

void compare_texts(BenchResults& results, std::span<const std::string> texts, Squeeze squeeze) {
  const std::string* reference = nullptr;
  for (std::size_t i = 0; i < results.trials.size(); ++i) {
    const Trial& trial = results.trials[i];
    if (trial.squeeze != squeeze || !is_stock(trial.variant) || texts[i].empty()) continue;
    if (reference == nullptr || texts[i].size() > reference->size()) reference = &texts[i];
  }
  if (reference == nullptr) return;
  for (std::size_t i = 0; i < results.trials.size(); ++i) {
    Trial& trial = results.trials[i];
    if (trial.squeeze != squeeze || trial.variant == Variant::small || texts[i].empty() ||
        &texts[i] == reference) {
      continue;
    }
    trial.text_equal = reference->size() > texts[i].size() ? reference->starts_with(texts[i])
                                                           : texts[i].starts_with(*reference);
  }
}

}  // namespace kvpsi
