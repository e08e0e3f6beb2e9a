// SPDX-License-Identifier: MIT
// From trials to claims: paired ratios, what they say, and the rule by which they say it. A claim
// may come out supported, contradicted or inconclusive; none is dropped. Pure.
// Next hop: report prints the words.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/results.h"

namespace kvpsi {

/// The rule in one sentence, printed below the verdicts.
std::string_view verdict_rule();

/// Pairs of runs, or runs, that a claim takes at least.
inline constexpr std::uint32_t kLeastPairs = 3;

/// All comparisons that the trials allow, in a fixed sequence. Only runs of the same trial are
/// paired; runs that decoded nothing count as 0 tokens/s in the numerator and drop their pair in
/// the denominator (the words say how many).
std::vector<Verdict> judge(const BenchResults& results, std::uint64_t seed);

}  // namespace kvpsi
