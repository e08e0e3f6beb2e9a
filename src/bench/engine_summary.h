// SPDX-License-Identifier: MIT
// What the bench needs of a `kvpsi run --json` summary, schema kvpsi.run/1. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/results.h"

namespace kvpsi {

struct EngineSummary {
  std::string exit;
  std::string stop_reason;
  std::uint64_t n_ctx = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t decoded = 0;
  std::string text;

  std::uint64_t start_us = 0;
  std::uint64_t loaded_us = 0;
  std::uint64_t prefill_start_us = 0;
  std::uint64_t decode_start_us = 0;
  std::uint64_t decode_end_us = 0;
  double tok_s = 0;
  LatencyMs latency_ms;

  std::uint64_t kv_live_bytes = 0;
  std::uint64_t kv_resident_bytes = 0;
  std::uint64_t kv_tokens_final = 0;
  std::uint64_t kv_bytes_per_cell = 0;
  std::uint64_t scratch_resident_bytes = 0;
  std::uint64_t rss_anon_bytes = 0;
  std::uint64_t hwm_bytes = 0;
  std::uint64_t weights_file_bytes = 0;
  std::uint64_t weights_anon_bytes = 0;
  std::optional<StallPct> own_psi;
  std::uint64_t decode_cpu_us = 0;

  std::uint64_t prunes = 0;
  std::uint64_t tokens_trimmed = 0;
  std::uint64_t kv_bytes_released = 0;
  std::uint64_t scratch_bytes_released = 0;
  std::optional<double> reaction_ms;
};

/// Errors: malformed, saying what is missing. Parts that a stock run does not have stay at zero.
Result<EngineSummary> parse_engine_summary(std::string_view json, const std::string& path = {});

/// Errors: not_found, malformed (an empty file too: the run ended without a summary).
Result<EngineSummary> read_engine_summary(const std::string& path);

}  // namespace kvpsi
