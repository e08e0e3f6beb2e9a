// SPDX-License-Identifier: MIT
// The records of a benchmark, schema `kvpsi.bench/1`, and their JSON both ways. Bytes are integers,
// times in the unit their name says, a fact that was not measured is an empty optional (absent or
// null in JSON). No I/O here but write_results and read_results. Next hop: report renders them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/plan.h"

namespace kvpsi {

inline constexpr std::string_view kBenchSchema = "kvpsi.bench/1";

struct LatencyMs {
  double p50 = 0;
  double p99 = 0;
  double max = 0;
  bool operator==(const LatencyMs&) const = default;
};

/// Shares of wall time in percent, 0..100, while the engine decoded.
struct StallPct {
  double some_pct = 0;
  double full_pct = 0;
  bool operator==(const StallPct&) const = default;
};

/// The neighbour's rounds that ended while the engine decoded.
struct NeighbourRate {
  double rounds_s = 0;
  double p99_ms = 0;
  bool operator==(const NeighbourRate&) const = default;
};

/// Conversations that waited while another decoded, and had their turn afterwards.
struct IdleTenants {
  std::uint64_t kv_bytes = 0;           ///< what their tokens take in memory
  std::uint64_t kv_bytes_returned = 0;  ///< of it on disk, not in memory, when decoding ended
  std::uint64_t turns = 0;              ///< later turns that were made
  /// Of them, with the text of the ungoverned run; empty where there is nothing to compare with.
  std::optional<std::uint64_t> turns_equal;
  double first_token_ms_median = 0;  ///< from the begin of a turn to its first token
  double first_token_ms_max = 0;
  double prefill_ms = 0;  ///< what evaluating one of them took: the mean
  bool operator==(const IdleTenants&) const = default;
};

/// One run of one variant. `exit` is "ok", or what went wrong: "timeout", "oom-killed",
/// "signal 9", "exit 3", "prefill-timeout" (killed before the first token) ...
struct Trial {
  std::uint32_t trial = 0;
  Squeeze squeeze = Squeeze::s1;
  Order order = Order::fixed_first;
  std::uint32_t position = 0;
  Variant variant = Variant::fixed;
  std::string exit = "ok";
  std::string stop_reason;  ///< length, time, eos ...; empty when there is no summary

  std::uint64_t prompt_tokens = 0;
  std::uint64_t n_ctx = 0;
  std::uint64_t decoded = 0;
  double tok_s = 0;
  LatencyMs latency_ms;
  double load_s = 0;
  double prefill_s = 0;

  /// The account of the context, at the end of the trial. tokens_trimmed = restored + reevaluated +
  /// lost + out: taken out of a running context, back from the file, computed anew, gone for good,
  /// still in the file.
  std::uint64_t prunes = 0;
  std::uint64_t tokens_trimmed = 0;
  std::uint64_t tokens_restored = 0;
  std::uint64_t tokens_reevaluated = 0;
  std::uint64_t tokens_lost = 0;
  std::uint64_t tokens_out = 0;
  double reduced_context_s = 0;               ///< time during which a token was out
  double rest_s = 0;                          ///< waited after decoding, the neighbour being gone
  std::uint64_t kv_final_tokens = 0;          ///< in the context when decoding ended
  std::uint64_t kv_bytes_resident_final = 0;  ///< at that moment
  std::uint64_t kv_bytes_released = 0;
  std::uint64_t scratch_bytes_released = 0;
  std::uint64_t spilled_bytes = 0;   ///< written to the spill file
  std::uint64_t restored_bytes = 0;  ///< read back from it
  std::optional<IdleTenants> idle;   ///< S3 only
  /// First stall seen by the governor to its first bytes given back; empty where it saw none.
  std::optional<double> reaction_ms;

  std::optional<StallPct> own_psi;
  std::optional<StallPct> external_psi;  ///< the group around engine and neighbour, else the system
  std::optional<NeighbourRate> neighbour;
  std::uint64_t limit_bytes = 0;  ///< 0 = none
  std::uint64_t peak_bytes = 0;   ///< of the group of both, 0 = not measured
  std::uint64_t hwm_bytes = 0;    ///< VmHWM of the engine
  std::uint64_t oom_kills = 0;
  std::uint64_t engine_cpu_us = 0;  ///< while decoding
  /// Text is that of the ungoverned runs (the shorter is a prefix of the longer); empty where there
  /// is nothing to compare with, and for `small`, whose prompt differs.
  std::optional<bool> text_equal;

  std::uint64_t decode_start_us = 0;  ///< CLOCK_MONOTONIC, for lining plots up
  std::uint64_t decode_end_us = 0;
  std::string journal;  ///< file names beside results.json
  std::string summary;  ///< the run's own kvpsi.run/1 with token times; empty if it gave none

  bool operator==(const Trial&) const = default;
};

/// How a squeeze was set: what was measured before, and what follows from it.
struct SqueezeContext {
  Squeeze squeeze = Squeeze::s1;
  std::string scope;  ///< "cgroup" or "system"
  std::string limit_rule;
  std::uint64_t limit_bytes = 0;  ///< 0 = none
  std::uint64_t fixed_peak_bytes = 0;
  std::uint64_t weights_bytes = 0;
  std::uint64_t base_bytes = 0;
  std::uint64_t live_kv_bytes = 0;
  std::uint64_t neighbour_bytes = 0;
  std::uint64_t n_ctx = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t n_predict = 0;
  std::uint64_t tenants = 1;      ///< conversations of prompt_tokens each, of which one decodes
  std::uint64_t then_tokens = 0;  ///< what each of the others decodes afterwards
  std::optional<NeighbourRate> neighbour_alone;
  /// False where the trials of it show no pressure at all: then there is nothing to compare.
  bool pressure_arose = true;

  bool operator==(const SqueezeContext&) const = default;
};

struct BenchContext {
  std::string host;
  std::string kernel;
  std::string cpu;
  std::string psi;
  std::string cgroup;
  std::string swap;
  std::string thp;
  std::string model;
  std::string model_sha256;
  std::string llama_commit;
  std::string kvpsi_version;
  std::string flags;
  std::uint64_t seed = 0;
  std::uint32_t threads = 1;
  std::int64_t started_s = 0;  ///< seconds since the epoch
  double seconds = 0;
  bool complete = false;  ///< false: cut short; the trials that are there are whole
  std::uint32_t trials_planned = 0;
  std::vector<SqueezeContext> squeezes;
  std::vector<std::string> warnings;

  bool operator==(const BenchContext&) const = default;
};

/// One comparison over paired runs of the same trial. ratio = first / second.
struct Verdict {
  std::string metric;  ///< "S1 psi/unsqueezed tok_s"
  double ratio_median = 0;
  std::optional<double> ci95_lo;  ///< empty below 3 pairs
  std::optional<double> ci95_hi;
  /// Median ratio under fixed-first over that under psi-first; empty when only one order ran.
  std::optional<double> order_effect;
  std::uint32_t n = 0;
  std::string words;  ///< "supported: ...", "contradicted: ..." or "inconclusive: ..."

  bool operator==(const Verdict&) const = default;
};

struct BenchResults {
  BenchContext context;
  std::vector<Trial> trials;
  std::vector<Verdict> verdicts;  ///< JSON: object `verdict`, keyed by metric, in this sequence

  bool operator==(const BenchResults&) const = default;
};

/// JSON text, indented, ending in a newline.
std::string to_json(const BenchResults& results);

/// Errors: malformed, saying what and at which byte or field (cut files too); unknown fields are
/// ignored, so that newer files stay readable.
Result<BenchResults> parse_results(std::string_view json, const std::string& path = {});

/// Writes PATH by way of a temporary file beside it and rename, so that a reader or a crash at any
/// moment finds either the old or the new one whole. Errors: io.
Result<void> write_whole(std::string_view text, const std::string& path);

/// The results, by write_whole. Errors: io.
Result<void> write_results(const BenchResults& results, const std::string& path);

/// Errors: not_found, io, malformed.
Result<BenchResults> read_results(const std::string& path);

}  // namespace kvpsi
