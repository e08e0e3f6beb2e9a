// SPDX-License-Identifier: MIT
// What a plot needs of one run's own summary, schema `kvpsi.run/1`: when tokens came and how much
// memory the KV cache ended with. Must not depend on fields that it does not draw.
// Next hop: plot_series.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kvpsi {

/// Times are CLOCK_MONOTONIC microseconds, as in the journal of the same run.
struct RunSummary {
  std::uint64_t start_us = 0;
  std::uint64_t decode_start_us = 0;
  std::uint64_t decode_end_us = 0;
  std::vector<std::uint64_t> token_t_us;
  std::uint64_t kv_resident_bytes = 0;  ///< at the end
};

/// Errors: malformed (no JSON, another schema, a field of the wrong type), with the path given.
Result<RunSummary> parse_run_summary(std::string_view json, const std::string& path = {});

/// Errors: not_found, io, malformed.
Result<RunSummary> read_run_summary(const std::string& path);

}  // namespace kvpsi
