// SPDX-License-Identifier: MIT
// How tight to make a group: measured, not guessed. S1 lies below what fixed needs and above what
// is live; S2 and S3 below all that must be in memory while nothing leaves it. Next hop: bench runs
// the measuring runs and the trials.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "bench/engine_flags.h"
#include "bench/results.h"
#include "bench/run_trial.h"

namespace kvpsi {

/// Share of fixed's peak that S1 leaves, and of all that is live that S2 and S3 leave.
inline constexpr double kS1Share = 0.86;
inline constexpr double kFloorShare = 0.95;

/// `share` of the bytes, in whole pages: what a limit can be. Pure.
std::uint64_t page_share(double share, std::uint64_t bytes);

/// S1's limit. Pure.
std::uint64_t limit_s1(std::uint64_t fixed_peak_bytes);

/// The limit of S2 and S3: a share of weights + base + live KV + neighbour. Pure.
std::uint64_t limit_below_floor(const SqueezeContext& measured);

/// The reference scenario made real by a group: the neighbour's memory, which cannot be reclaimed,
/// and S1's share of what fixed needs besides. Pure.
std::uint64_t limit_reference(std::uint64_t fixed_alone_peak_bytes, std::uint64_t neighbour_bytes);

/// Weights, base (anonymous memory that is neither KV nor scratch nor weights) and live KV of a
/// full-length answer, from a governed run's summary. Pure.
void fill_floor(const EngineSummary& summary, std::uint64_t tokens, SqueezeContext& context);

/// Measures in an unlimited group and fills `context`'s limit, rule and parts. S1 runs fixed, S2
/// and S3 run release-only, all with the neighbour and 16 tokens (peaks come from load and
/// prefill); the reference runs fixed alone. `override_bytes` > 0 is taken as the limit without
/// measuring. Returns how long loading and prefill took, seconds, 0 where nothing was measured.
/// Errors: as run_trial, or io when the measuring run did not end well.
Result<double> calibrate(const TrialHost& host, const RunSpec& engine, const PressSpec& neighbour,
                         std::uint64_t override_bytes, SqueezeContext& context);

}  // namespace kvpsi
