// SPDX-License-Identifier: MIT
// What needs all runs of a squeeze at once: whether pressure arose at all, and whether the governed
// text is the ungoverned one. Pure. Next hop: bench.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/engine_summary.h"
#include "bench/results.h"

namespace kvpsi {

/// Least share of stalled time, in percent, that counts as pressure.
inline constexpr double kPressurePct = 0.5;

/// True if a squeezed run shows stall around it or an OOM kill. Where fixed did not run and there
/// is a limit, true: psi may well keep out of any stall. True also where stall was not measured.
bool pressure_arose(const BenchResults& results, const SqueezeContext& context);

/// What one trial wrote.
struct TrialTexts {
  std::string decoded;                   ///< under the squeeze
  std::vector<std::string> later_turns;  ///< of idle tenants, in their sequence
};

/// Takes them out of a summary.
TrialTexts take_texts(EngineSummary& summary);

/// Sets text_equal of the squeeze's trials, and idle->turns_equal. texts[i] belongs to
/// results.trials[i]; the reference is the stock run with the full prompt and the longest text, of
/// equal ones the first. Later turns must be equal whole.
void compare_texts(BenchResults& results, std::span<const TrialTexts> texts, Squeeze squeeze);

}  // namespace kvpsi
