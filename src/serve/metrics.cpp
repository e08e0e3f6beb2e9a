// SPDX-License-Identifier: MIT
// See metrics.h. Names follow Prometheus: base units, the unit last, labels for parts of a whole.
#include "serve/metrics.h"

#include "report/openmetrics.h"

namespace kvpsi {
namespace {

double to_seconds(std::uint64_t us) { return static_cast<double>(us) / 1e6; }

void write_server(const ServerSnapshot& s, OpenMetrics& out) {
  out.info("kvpsi_build", "what runs");
  out.sample(std::uint64_t{1}, {{"version", s.version}, {"llama_commit", s.llama_commit}});
  out.gauge("kvpsi_governed", "", "1 while a governor runs and acts");
  out.sample(std::uint64_t{s.is_governed});
  out.gauge("kvpsi_not_governed", "", "parts that are not governed; /kvpsi/state says which");
  out.sample(std::uint64_t{s.not_governed.size()});
}

void write_requests(const ServerSnapshot& s, OpenMetrics& out) {
  out.gauge("kvpsi_requests_running", "", "requests for new work, admitted and not ended");
  out.sample(s.requests.running);
  out.gauge("kvpsi_requests_waiting", "", "requests for new work that wait to be admitted");
  out.sample(s.requests.waiting);
  out.counter("kvpsi_admitted", "", "requests for new work that were admitted");
  out.sample(s.requests.admitted);
  out.counter("kvpsi_refused", "", "requests for new work that got 503, by reason");
  for (const Refusal why : kRefusals) {
    out.sample(s.requests.refused_for(why), {{"reason", name(why)}});
  }
  out.counter("kvpsi_reduced", "", "responses that were made with a reduced context");
  out.sample(s.requests.reduced);
  out.gauge("kvpsi_admitting", "", "1 if a request would be admitted now");
  out.sample(std::uint64_t{s.admission.admits()});
}

void write_totals(const TickTotals& totals, OpenMetrics& out) {
  out.counter("kvpsi_turns", "", "turns of the governor");
  out.sample(totals.turns);
  out.counter("kvpsi_governor_cpu_seconds", "seconds", "CPU time of the governor's turns");
  out.sample(to_seconds(totals.cost_us));
  out.counter("kvpsi_level_seconds", "seconds", "time at each level");
  for (std::size_t i = 0; i < TickTotals::kLevels; ++i) {
    out.sample(to_seconds(totals.level_us[i]), {{"level", name(static_cast<Level>(i))}});
  }
  out.counter("kvpsi_actions", "", "actions that have ended, by rung");
  for (std::size_t i = 0; i < TickTotals::kVerbs; ++i) {
    out.sample(totals.actions[i], {{"rung", name(static_cast<Verb>(i))}});
  }
  out.counter("kvpsi_action_failures", "", "actions that the kernel or the engine refused");
  out.sample(totals.failures);
  out.counter("kvpsi_released_bytes", "bytes", "resident memory given back, measured, by rung");
  for (std::size_t i = 0; i < TickTotals::kVerbs; ++i) {
    out.sample(totals.bytes_released[i], {{"rung", name(static_cast<Verb>(i))}});
  }
  out.counter("kvpsi_spilled_bytes", "bytes", "written to the spill file under pressure");
  out.sample(totals.bytes_spilled);
  out.counter("kvpsi_restored_bytes", "bytes", "read back when pressure was over");
  out.sample(totals.bytes_restored);
  out.counter("kvpsi_tokens_trimmed", "", "tokens taken out of running contexts");
  out.sample(totals.tokens_trimmed);
  out.counter("kvpsi_tokens_restored", "", "tokens that are back in their contexts");
  out.sample(totals.tokens_restored);
  out.counter("kvpsi_tokens_lost", "", "tokens gone for good");
  out.sample(totals.tokens_lost);
}

void write_pools(const Tick& tick, OpenMetrics& out) {
  out.gauge("kvpsi_pool_bytes", "bytes", "memory of each pool, by state");
  for (const PoolView& pool : tick.observation.pools) {
    const auto sample = [&](std::string_view state, std::uint64_t bytes) {
      out.sample(bytes, {{"pool", name(pool.kind)}, {"state", state}});
    };
    sample("reserved", pool.reserved_bytes);
    sample("live", pool.live_bytes);
    sample("resident", pool.resident_bytes);
    sample("releasable", pool.releasable_bytes);
    sample("spillable", pool.spillable_bytes);
    sample("spilled", pool.spilled_bytes);
    sample("trimmed", pool.trimmed_bytes);
  }
  const PoolView* kv = find_pool(tick.observation.pools, PoolKind::kv);
  if (kv == nullptr) return;
  if (kv->cells_total > 0) {
    out.gauge("kvpsi_kv_usage_ratio", "ratio", "cells that hold a token, of all");
    out.sample(static_cast<double>(kv->cells_live) / static_cast<double>(kv->cells_total));
  }
  if (tick.decision.kv_budget_bytes) {
    out.gauge("kvpsi_kv_budget_bytes", "bytes", "most live KV that new work may fill");
    out.sample(*tick.decision.kv_budget_bytes);
  }
}

void write_stall(const Sample& sample, OpenMetrics& out) {
  out.counter("kvpsi_stall_seconds", "seconds", "PSI memory stall totals, by scope and kind");
  const auto write = [&](std::string_view scope, const std::optional<PsiTotals>& totals) {
    if (!totals) return;
    out.sample(to_seconds(totals->some_us_total), {{"scope", scope}, {"kind", "some"}});
    out.sample(to_seconds(totals->full_us_total), {{"scope", scope}, {"kind", "full"}});
  };
  write("own", sample.psi_own);
  write("parent", sample.psi_parent);
  write("system", sample.psi_system);
}

void write_turn(const Tick& tick, OpenMetrics& out) {
  out.gauge("kvpsi_level", "", "0 calm, 1 elevated, 2 high, 3 critical");
  out.sample(static_cast<std::uint64_t>(tick.decision.level));
  out.gauge("kvpsi_paused", "", "1 while governing is paused");
  out.sample(std::uint64_t{tick.observation.paused});
  out.gauge("kvpsi_need_bytes", "bytes", "what the memory situation asks of us");
  out.sample(tick.decision.need_bytes);
  const bool has_room =
      tick.observation.sample.mem_available_bytes || tick.observation.sample.group_limit_bytes;
  if (has_room) {
    out.gauge("kvpsi_headroom_bytes", "bytes", "what is left under the tightest limit");
    out.sample(static_cast<double>(tick.signal.headroom_bytes));
  }
  out.gauge("kvpsi_signal", "", "1 for each source of pressure that can be read");
  out.sample(std::uint64_t{tick.signal.psi_present}, {{"source", "psi"}});
  out.sample(std::uint64_t{has_room}, {{"source", "headroom"}});
  write_stall(tick.observation.sample, out);
  write_pools(tick, out);
}

}  // namespace

std::string make_metrics(const ServerSnapshot& snapshot) {
  OpenMetrics out;
  write_server(snapshot, out);
  write_requests(snapshot, out);
  write_totals(snapshot.totals, out);
  if (snapshot.tick) write_turn(*snapshot.tick, out);
  return out.finish();
}

}  // namespace kvpsi
