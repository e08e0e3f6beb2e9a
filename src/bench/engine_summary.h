// SPDX-License-Identifier: MIT
// What the bench needs of a `kvpsi run --json` summary, schema kvpsi.run/1. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/results.h"

namespace kvpsi {

/// One of several conversations; times in milliseconds.
struct ConversationSummary {
  bool idle = false;  ///< waited while others decoded
  std::uint64_t prompt_tokens = 0;
  std::string text;
  double prefill_ms = 0;
  std::uint64_t then_decoded = 0;  ///< in its later turn; 0: it had none
  std::string then_text;
  double then_first_token_ms = 0;  ///< from the begin of that turn
};

/// What became of the context up to a moment.
struct ContextAccount {
  std::uint64_t kv_live_bytes = 0;
  std::uint64_t kv_resident_bytes = 0;
  std::uint64_t kv_spilled_bytes = 0;
  std::uint64_t kv_tokens = 0;
  std::uint64_t tokens_trimmed = 0;
  std::uint64_t tokens_spoiled = 0;  ///< not trimmed, but their rows did not come back
  std::uint64_t tokens_restored = 0;
  std::uint64_t tokens_reevaluated = 0;
  std::uint64_t tokens_lost = 0;
  std::uint64_t spilled_bytes = 0;
  std::uint64_t restored_bytes = 0;
  double reduced_context_s = 0;

  /// Neither back nor lost.
  std::uint64_t tokens_out() const;
};

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

  ContextAccount at_decode_end;
  ContextAccount at_end;
  double rest_s = 0;
  std::vector<ConversationSummary> conversations;  ///< empty for a run of one
  std::uint64_t kv_bytes_per_cell = 0;
  std::uint64_t scratch_resident_bytes = 0;
  std::uint64_t rss_anon_bytes = 0;
  std::uint64_t hwm_bytes = 0;
  std::uint64_t weights_file_bytes = 0;
  std::uint64_t weights_anon_bytes = 0;
  std::optional<StallPct> own_psi;
  std::uint64_t decode_cpu_us = 0;

  std::uint64_t prunes = 0;
  std::uint64_t kv_bytes_released = 0;
  std::uint64_t scratch_bytes_released = 0;
  std::optional<double> reaction_ms;
};

/// Errors: malformed, saying what is missing. Parts that a stock run does not have stay at zero.
Result<EngineSummary> parse_engine_summary(std::string_view json, const std::string& path = {});

/// Errors: not_found, malformed (an empty file too: the run ended without a summary).
Result<EngineSummary> read_engine_summary(const std::string& path);

}  // namespace kvpsi
