// SPDX-License-Identifier: MIT
// See cmd_run_summary.h.
#include "cli/cmd_run_summary.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/bytes.h"
#include "cli/cmd_run_conversations.h"

namespace kvpsi {
namespace {

using Json = nlohmann::ordered_json;

double decode_wall_us(const Generation& generation) {
  return static_cast<double>(generation.decode_end_us - generation.decode_start_us);
}

double percent_of_decode(std::uint64_t stalled_us, const Generation& generation) {
  const double wall_us = decode_wall_us(generation);
  return wall_us <= 0 ? 0 : 100 * static_cast<double>(stalled_us) / wall_us;
}

Json timing_json(const RunRecord& record) {
  const Generation& made = record.generation;
  return {{"start_us", record.start_us},
          {"loaded_us", record.loaded_us},
          {"prefill_start_us", made.prefill_start_us},
          {"decode_start_us", made.decode_start_us},
          {"decode_end_us", made.decode_end_us},
          {"tok_s", tokens_per_second(made)},
          {"latency_ms", latency_json(first_turn_latencies_ms(record))}};
}

Json memory_json(const RunRecord& record) {
  return {{"rss_anon_bytes", record.memory.anon_bytes},
          {"rss_file_bytes", record.memory.file_bytes},
          {"hwm_bytes", record.memory.hwm_bytes},
          {"hwm_after_load_bytes", record.hwm_after_load_bytes},
          {"weights_file_bytes", record.weights.file_bytes},
          {"weights_anon_bytes", record.weights.anon_bytes}};
}

Json own_psi_json(const RunRecord& record) {
  if (!record.own_psi) return nullptr;
  const OwnPsi& psi = *record.own_psi;
  const std::uint64_t some_us = psi.decode_end.some_us_total - psi.decode_start.some_us_total;
  const std::uint64_t full_us = psi.decode_end.full_us_total - psi.decode_start.full_us_total;
  return {{"prefill_some_us", psi.decode_start.some_us_total - psi.prefill_start.some_us_total},
          {"prefill_full_us", psi.decode_start.full_us_total - psi.prefill_start.full_us_total},
          {"decode_some_us", some_us},
          {"decode_full_us", full_us},
          {"some_pct", percent_of_decode(some_us, record.generation)},
          {"full_pct", percent_of_decode(full_us, record.generation)}};
}

Json governor_json(const RunRecord& record) {
  const GovernorRecord& governor = record.governor;
  const ContextMemory& context = record.context;
  return {{"enabled", governor.enabled},
          {"dry_run", governor.dry_run},
          {"source", governor.source},
          {"ticks", governor.ticks},
          {"level_max", name(governor.level_max)},
          {"prunes", context.prunes},
          {"tokens_trimmed", context.tokens_trimmed},
          {"kv_bytes_released", context.kv_bytes_released},
          {"scratch_bytes_released", context.scratch_bytes_released},
          {"heap_bytes_released", context.heap_bytes_released},
          {"release_us", context.release_us},
          {"first_stall_us", governor.first_stall_us},
          {"first_release_us", context.first_release_us},
          {"cpu_us", governor.cpu_us}};
}

/// What became of the context: what was taken out of it, what of that is back, what is gone.
Json context_json(const ContextMemory& context) {
  return {{"tokens_trimmed", context.tokens_trimmed},
          {"tokens_spoiled", context.tokens_spoiled},
          {"tokens_restored", context.tokens_restored},
          {"tokens_reevaluated", context.tokens_reevaluated},
          {"tokens_lost", context.tokens_lost},
          {"spilled_bytes", context.bytes_spilled},
          {"restored_bytes", context.bytes_restored},
          {"restore_us", context.restore_us},
          {"reduced_context_s", static_cast<double>(context.reduced_context_us) / 1e6}};
}

Json kv_json(const ContextMemory& context) {
  return {
      {"reserved_bytes", context.kv_reserved_bytes}, {"live_bytes", context.kv_live_bytes},
      {"resident_bytes", context.kv_resident_bytes}, {"spilled_bytes", context.kv_spilled_bytes},
      {"trimmed_bytes", context.kv_trimmed_bytes},   {"tokens_final", context.kv_cells_live},
      {"bytes_per_cell", context.kv_bytes_per_cell}};
}

Json head_json(const RunRecord& record) {
  const Generation& made = record.generation;
  return {{"schema", "kvpsi.run/1"},
          {"exit", "ok"},
          {"stop_reason", name(made.stop_reason)},
          {"model", record.model},
          {"model_bytes", record.model_bytes},
          {"n_ctx", record.n_ctx},
          {"n_batch", record.n_batch},
          {"threads", record.threads},
          {"seed", record.seed},
          {"prompt_tokens", made.prompt_tokens},
          {"decoded", made.decoded},
          {"text", made.text}};
}

}  // namespace

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const double rank = std::ceil(share * static_cast<double>(values.size()));
  const auto at = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return values[std::min(at, values.size() - 1)];
}

std::string summary_json(const RunRecord& record) {
  const ContextMemory& context = record.context;
  Json summary = head_json(record);
  summary["timing"] = timing_json(record);
  summary["token_t_us"] = record.generation.token_t_us;
  summary["kv"] = kv_json(context);
  summary["context"] = context_json(context);
  summary["decode_end"] = {{"kv", kv_json(record.at_decode_end)},
                           {"context", context_json(record.at_decode_end)},
                           {"rest_s", static_cast<double>(record.rest_us) / 1e6}};
  summary["scratch"] = {{"reserved_bytes", context.scratch_reserved_bytes},
                        {"resident_bytes", context.scratch_resident_bytes}};
  summary["memory"] = memory_json(record);
  summary["own_psi"] = own_psi_json(record);
  summary["cpu_us"] = {{"load", record.load_cpu_us},
                       {"prefill", record.generation.prefill_cpu_us},
                       {"decode", record.generation.decode_cpu_us}};
  summary["governor"] = governor_json(record);
  if (!record.conversations.empty()) {
    summary["parallel"] = record.parallel;
    summary["conversations"] = conversations_json(record);
  }
  summary["ungoverned"] = record.ungoverned;
  summary["self_check"] = {{"ok", record.self_check.ok},
                           {"bytes_returned", record.self_check.bytes_returned},
                           {"what", record.self_check.what}};
  return summary.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> summary_lines(const RunRecord& record) {
  const Generation& made = record.generation;
  const ContextMemory& context = record.context;
  std::vector<std::string> lines;
  const std::size_t conversations = record.conversations.size();
  lines.push_back(fmt::format("{} tokens after {}, {:.1f} tok/s ({})", made.decoded,
                              conversations == 0 ? fmt::format("a prompt of {}", made.prompt_tokens)
                                                 : fmt::format("{} prompts of {} together",
                                                               conversations, made.prompt_tokens),
                              tokens_per_second(made), name(made.stop_reason)));
  lines.push_back(fmt::format(
      "KV cache {} live, {} resident of {} reserved; scratch {} resident; peak of the process {}",
      format_bytes(context.kv_live_bytes), format_bytes(context.kv_resident_bytes),
      format_bytes(context.kv_reserved_bytes), format_bytes(context.scratch_resident_bytes),
      format_bytes(record.memory.hwm_bytes)));
  if (record.governor.enabled) {
    lines.push_back(fmt::format(
        "given back: KV {}, scratch {}, heap {}; {} tokens of context trimmed, {} lost; "
        "highest level {}",
        format_bytes(context.kv_bytes_released), format_bytes(context.scratch_bytes_released),
        format_bytes(context.heap_bytes_released), context.tokens_trimmed, context.tokens_lost,
        name(record.governor.level_max)));
  }
  for (std::string& line : name_losses(record.conversations)) lines.push_back(std::move(line));
  if (record.own_psi) {
    const OwnPsi& psi = *record.own_psi;
    lines.push_back(fmt::format(
        "stalled for memory while decoding: {:.1f} % of the time",
        percent_of_decode(psi.decode_end.some_us_total - psi.decode_start.some_us_total, made)));
  }
  return lines;
}

}  // namespace kvpsi
