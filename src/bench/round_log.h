// SPDX-License-Identifier: MIT
// Rounds of the neighbour: when each ended and how long it took, as `kvpsi press` writes them and
// the bench reads them. Text, one round a line: "end_us duration_us", CLOCK_MONOTONIC. Pure but for
// the two functions that name a path.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/results.h"

namespace kvpsi {

struct Round {
  std::uint64_t end_us = 0;
  std::uint64_t duration_us = 0;
  bool operator==(const Round&) const = default;
};

/// Latencies of all rounds in milliseconds; zeros for none.
LatencyMs round_latency(std::span<const Round> rounds);

/// Rate and p99 of the rounds that ended within (begin_us, end_us]; empty for an empty window or
/// no round. The rate counts a round cut by the window's begin by the part of it inside, so that a
/// long round at the edge is neither lost nor counted whole.
std::optional<NeighbourRate> rate_within(std::span<const Round> rounds, std::uint64_t begin_us,
                                         std::uint64_t end_us);

/// Errors: malformed, with the line.
Result<std::vector<Round>> parse_rounds(std::string_view text, const std::string& path = {});

/// Errors: io.
Result<void> write_rounds(std::span<const Round> rounds, const std::string& path);

/// Errors: not_found, malformed.
Result<std::vector<Round>> read_rounds(const std::string& path);

}  // namespace kvpsi
