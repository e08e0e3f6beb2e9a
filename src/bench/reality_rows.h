// SPDX-License-Identifier: MIT
// From times to claims: real against simulated, and the relief times against their aims. A row may
// come out within, outside or inconclusive, and none is dropped. Pure.
// Next hop: cli/cmd_bench_reality prints them.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "bench/reality_record.h"

namespace kvpsi {

/// Real / simulated median first-action time: this share off, upwards or downwards.
inline constexpr double kFirstActionBand = 0.30;
inline constexpr double kLastActionAimSeconds = 1.5;
inline constexpr double kFullSizeAimSeconds = 60;
inline constexpr std::uint32_t kLeastRuns = 5;

/// One sentence each.
std::string_view reality_rule();

/// The ratio of medians and its verdict: within 1 - band .. 1 + band with the whole 95 % interval
/// of the real median, outside with all of it, else inconclusive; so also below kLeastRuns.
RealityRow compare_medians(std::span<const double> real, std::span<const double> simulated,
                           double band, std::uint64_t seed);

/// Within: no value exceeds the aim and nothing is unknown; outside: the median does; else
/// inconclusive. `unknown` counts those that were not followed long enough to have a value.
RealityRow judge_aim(std::span<const double> values, std::uint32_t unknown, double aim);

/// All rows of a record, squeeze by squeeze, from the runs that count.
std::vector<RealityRow> judge_reality(
    std::span<const RealityRun> runs,
    const std::map<SqueezeKind, std::vector<SqueezeTimes>>& simulated, std::uint64_t seed);

/// What is not there or does not count, one clause each.
std::vector<std::string> find_missing(std::span<const RealityRun> runs, std::uint32_t repetitions);

}  // namespace kvpsi
