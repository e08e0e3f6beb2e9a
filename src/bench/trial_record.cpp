// SPDX-License-Identifier: MIT
// See trial_record.h.
#include "bench/trial_record.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <numeric>

#include "bench/stats.h"

namespace kvpsi {
namespace {

double seconds_between(std::uint64_t begin_us, std::uint64_t end_us) {
  return end_us > begin_us ? static_cast<double>(end_us - begin_us) / 1e6 : 0;
}

/// "ok", or why the run does not count.
std::string describe_exit(const TrialFacts& facts, const std::optional<EngineSummary>& summary) {
  const ChildExit exit = facts.engine_exit.value_or(ChildExit{0, SIGKILL});
  if (facts.timed_out) {
    return summary && summary->decoded > 0 ? "timeout" : "prefill-timeout";
  }
  if (exit.signal == SIGKILL && facts.oom_kills > 0) return "oom-killed";
  if (!exit.is_ok()) return exit.describe();
  if (!summary) return "no summary";
  return summary->exit;
}

void fill_account(const EngineSummary& summary, Trial& trial) {
  const ContextAccount& end = summary.at_end;
  trial.tokens_trimmed = end.tokens_trimmed;
  trial.tokens_restored = end.tokens_restored;
  trial.tokens_reevaluated = end.tokens_reevaluated;
  trial.tokens_lost = end.tokens_lost;
  trial.tokens_out = end.tokens_out();
  trial.spilled_bytes = end.spilled_bytes;
  trial.restored_bytes = end.restored_bytes;
  trial.reduced_context_s = end.reduced_context_s;
  trial.rest_s = summary.rest_s;
  trial.kv_final_tokens = summary.at_decode_end.kv_tokens;
  trial.kv_bytes_resident_final = summary.at_decode_end.kv_resident_bytes;
}

/// Those that waited: the ones with a later turn, and those that never got to it.
std::optional<IdleTenants> find_idle(const EngineSummary& summary) {
  IdleTenants idle;
  std::vector<double> first_token_ms;
  std::vector<double> prefill_ms;
  for (const ConversationSummary& conversation : summary.conversations) {
    if (!conversation.idle) continue;
    idle.kv_bytes += conversation.prompt_tokens * summary.kv_bytes_per_cell;
    prefill_ms.push_back(conversation.prefill_ms);
    if (conversation.then_decoded == 0) continue;
    first_token_ms.push_back(conversation.then_first_token_ms);
  }
  if (prefill_ms.empty()) return std::nullopt;
  idle.kv_bytes_returned = summary.at_decode_end.kv_spilled_bytes;
  idle.turns = first_token_ms.size();
  idle.prefill_ms =
      std::reduce(prefill_ms.begin(), prefill_ms.end()) / static_cast<double>(prefill_ms.size());
  if (!first_token_ms.empty()) {
    idle.first_token_ms_median = median(first_token_ms);
    idle.first_token_ms_max = std::ranges::max(first_token_ms);
  }
  return idle;
}

void fill_from_summary(const EngineSummary& summary, Trial& trial) {
  trial.stop_reason = summary.stop_reason;
  trial.prompt_tokens = summary.prompt_tokens;
  trial.n_ctx = summary.n_ctx;
  trial.decoded = summary.decoded;
  trial.tok_s = summary.tok_s;
  trial.latency_ms = summary.latency_ms;
  trial.load_s = seconds_between(summary.start_us, summary.loaded_us);
  trial.prefill_s = seconds_between(summary.prefill_start_us, summary.decode_start_us);
  trial.prunes = summary.prunes;
  fill_account(summary, trial);
  trial.kv_bytes_released = summary.kv_bytes_released;
  trial.scratch_bytes_released = summary.scratch_bytes_released;
  trial.idle = find_idle(summary);
  trial.reaction_ms = summary.reaction_ms;
  trial.own_psi = summary.own_psi;
  trial.hwm_bytes = summary.hwm_bytes;
  trial.engine_cpu_us = summary.decode_cpu_us;
  trial.decode_start_us = summary.decode_start_us;
  trial.decode_end_us = summary.decode_end_us;
}

}  // namespace

TrialOutcome make_outcome(const TrialJob& job, TrialFacts facts) {
  TrialOutcome outcome;
  Trial& trial = outcome.trial;
  trial.trial = job.run.trial;
  trial.squeeze = job.run.squeeze;
  trial.order = job.run.order;
  trial.position = job.run.position;
  trial.variant = job.run.variant;
  trial.n_ctx = job.engine.n_ctx;
  trial.limit_bytes = job.limit_bytes;
  trial.peak_bytes = facts.peak_bytes;
  trial.oom_kills = facts.oom_kills;
  trial.journal = "journal-" + job.stem + ".jsonl";

  if (auto summary = read_engine_summary(facts.summary_path)) {
    fill_from_summary(*summary, trial);
    trial.external_psi = facts.external.within(trial.decode_start_us, trial.decode_end_us);
    trial.neighbour = rate_within(facts.rounds, trial.decode_start_us, trial.decode_end_us);
    trial.summary = "run-" + job.stem + ".json";
    outcome.summary = std::move(*summary);
  } else if (facts.engine_exit && facts.engine_exit->is_ok()) {
    facts.notes.push_back(describe(summary.error()));
  }
  trial.exit = describe_exit(facts, outcome.summary);
  if (trial.exit != "ok" && !facts.engine_words.empty()) {
    facts.notes.push_back(facts.engine_words);
  }
  for (const auto& note : facts.notes) {
    outcome.notes.push_back(fmt::format("{} {} trial {}: {}", name(trial.squeeze),
                                        name(trial.variant), trial.trial, note));
  }
  outcome.neighbour_bytes = facts.neighbour_bytes;
  outcome.onset_us = facts.onset_us;
  outcome.relief_us = facts.relief_us;
  return outcome;
}

}  // namespace kvpsi
