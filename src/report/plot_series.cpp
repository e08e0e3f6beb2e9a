// SPDX-License-Identifier: MIT
// The arithmetic behind the curves; see plot_series.h.
#include "report/plot_series.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/bytes.h"

namespace kvpsi {
namespace {

constexpr double kUsPerSecond = 1e6;
constexpr std::uint64_t kLeastActionBytes = 64 * kKiB;

double seconds_after(std::uint64_t t_us, std::uint64_t zero_us) {
  return (static_cast<double>(t_us) - static_cast<double>(zero_us)) / kUsPerSecond;
}

/// The own group's stall share between two ticks; the counter of another group may be smaller.
std::optional<double> stall_between(const Sample& before, const Sample& after) {
  if (!before.psi_own || !after.psi_own || after.t_us <= before.t_us) return std::nullopt;
  const std::uint64_t from = before.psi_own->some_us_total;
  const std::uint64_t to = after.psi_own->some_us_total;
  if (to < from) return std::nullopt;
  const double share =
      static_cast<double>(to - from) / static_cast<double>(after.t_us - before.t_us);
  return std::min(100.0, 100.0 * share);
}

MemoryPoint memory_point(const Tick& tick, const RunSummary& summary, bool kv_from_summary) {
  const Sample& sample = tick.observation.sample;
  const PoolView* kv = find_pool(tick.observation.pools, PoolKind::kv);
  const PoolView* scratch = find_pool(tick.observation.pools, PoolKind::scratch);
  std::uint64_t kv_bytes = kv != nullptr ? kv->resident_bytes : 0;
  if (kv_from_summary) kv_bytes = summary.kv_resident_bytes;
  // Views are arithmetic between two measurements; together they never exceed what is there.
  kv_bytes = std::min(kv_bytes, sample.own_anon_bytes);
  const std::uint64_t scratch_bytes =
      std::min(scratch != nullptr ? scratch->resident_bytes : 0, sample.own_anon_bytes - kv_bytes);
  MemoryPoint point;
  point.t_s = seconds_after(sample.t_us, summary.decode_start_us);
  point.weights_mib = to_mib(sample.own_file_bytes);
  point.kv_mib = to_mib(kv_bytes);
  point.spilled_mib = kv != nullptr ? to_mib(kv->spilled_bytes) : 0;
  point.scratch_mib = to_mib(scratch_bytes);
  point.other_mib = to_mib(sample.own_anon_bytes - kv_bytes - scratch_bytes);
  if (sample.group_limit_bytes) point.limit_mib = to_mib(*sample.group_limit_bytes);
  return point;
}

std::vector<MemoryPoint> memory_points(std::span<const Tick> ticks, const RunSummary& summary,
                                       bool kv_from_summary) {
  std::vector<MemoryPoint> points;
  std::size_t back = 0;
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    const Sample& now = ticks[i].observation.sample;
    MemoryPoint point = memory_point(ticks[i], summary, kv_from_summary);
    while (back + 1 < i && ticks[back + 1].observation.sample.t_us + kStallWindowUs <= now.t_us) {
      ++back;
    }
    const Sample& before = ticks[back].observation.sample;
    if (before.t_us + kStallWindowUs <= now.t_us) point.stall_pct = stall_between(before, now);
    points.push_back(point);
  }
  return points;
}

/// Tokens in bins of one second from the first one on; the last bin by its real length.
std::vector<TokenPoint> token_points(const RunSummary& summary) {
  constexpr std::uint64_t kLeastBinUs = kTokenBinUs / 4;
  std::vector<TokenPoint> points;
  std::size_t next = 0;
  const auto& times = summary.token_t_us;
  for (std::uint64_t from = summary.decode_start_us; from < summary.decode_end_us;
       from += kTokenBinUs) {
    const std::uint64_t to = std::min(from + kTokenBinUs, summary.decode_end_us);
    std::size_t count = 0;
    while (next < times.size() && times[next] <= to) {
      ++count;
      ++next;
    }
    if (to - from < kLeastBinUs) break;
    const double middle_us =
        static_cast<double>(from + (to - from) / 2) - static_cast<double>(summary.decode_start_us);
    points.push_back({middle_us / kUsPerSecond,
                      static_cast<double>(count) * kUsPerSecond / static_cast<double>(to - from)});
  }
  return points;
}

std::vector<ActionPoint> action_points(std::span<const Tick> ticks, const RunSummary& summary) {
  std::vector<ActionPoint> points;
  for (const Tick& tick : ticks) {
    for (const Outcome& outcome : tick.observation.outcomes) {
      if (outcome.bytes_released < kLeastActionBytes && outcome.tokens_trimmed == 0) continue;
      points.push_back({seconds_after(outcome.t_us, summary.decode_start_us),
                        to_mib(outcome.bytes_released), outcome.tokens_trimmed});
    }
  }
  return points;
}

std::string text_or_nan(const std::optional<double>& value) {
  return value ? fmt::format("{:.3f}", *value) : "nan";
}

}  // namespace

PlotSeries make_series(std::span<const Tick> ticks, const RunSummary& summary) {
  PlotSeries series;
  series.kv_from_summary = std::ranges::none_of(ticks, [](const Tick& tick) {
    return find_pool(tick.observation.pools, PoolKind::kv) != nullptr;
  });
  series.memory = memory_points(ticks, summary, series.kv_from_summary);
  series.tokens = token_points(summary);
  series.actions = action_points(ticks, summary);
  return series;
}

std::string memory_tsv(const PlotSeries& series) {
  std::string out =
      "# t_s\tstall_some_pct\tweights_mib\tkv_mib\tscratch_mib\tother_anon_mib\tlimit_mib\t"
      "kv_on_disk_mib\n";
  for (const MemoryPoint& p : series.memory) {
    out += fmt::format("{:.3f}\t{}\t{:.3f}\t{:.3f}\t{:.3f}\t{:.3f}\t{}\t{:.3f}\n", p.t_s,
                       text_or_nan(p.stall_pct), p.weights_mib, p.kv_mib, p.scratch_mib,
                       p.other_mib, text_or_nan(p.limit_mib), p.spilled_mib);
  }
  return out;
}

std::string tokens_tsv(const PlotSeries& series) {
  std::string out = "# t_s\ttok_s\n";
  for (const TokenPoint& p : series.tokens) out += fmt::format("{:.3f}\t{:.3f}\n", p.t_s, p.tok_s);
  return out;
}

std::string actions_tsv(const PlotSeries& series) {
  std::string out = "# t_s\treleased_mib\ttokens_trimmed\n";
  for (const ActionPoint& p : series.actions) {
    out += fmt::format("{:.3f}\t{:.3f}\t{}\n", p.t_s, p.released_mib, p.tokens_trimmed);
  }
  return out;
}

}  // namespace kvpsi
