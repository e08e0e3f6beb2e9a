// SPDX-License-Identifier: MIT
// See sim_trace.h.
#include "report/sim_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/bytes.h"

namespace kvpsi {
namespace {

constexpr double kPoints = 1000;
/// Stall shares over less time are all or nothing.
constexpr double kLeastApartS = 0.25;

double share_pct(std::uint64_t part_us, std::uint64_t whole_us) {
  if (whole_us == 0) return 0;
  return std::min(100.0, 100 * static_cast<double>(part_us) / static_cast<double>(whole_us));
}

}  // namespace

SimTrace::SimTrace(double duration_s)
    : apart_us_(static_cast<std::uint64_t>(std::max(kLeastApartS, duration_s / kPoints) * 1e6)) {}

void SimTrace::on_instant(const Instant& instant) {
  if (length_us_ == 0) begin(instant);
  length_us_ += instant.dt_us;
  own_stall_us_ += instant.own_stall_us;
  others_stall_us_ += instant.others_stall_us;
  open_.t_s = instant.t_s();
  open_.headroom_mib = std::min(
      open_.headroom_mib, static_cast<double>(instant.headroom_bytes) / static_cast<double>(kMiB));
  open_.kv_live_mib = to_mib(instant.kv_live_bytes);
  open_.kv_resident_mib = to_mib(instant.kv_resident_bytes);
  open_.kv_wanted_mib = to_mib(instant.kv_full_bytes);
  open_.budget_mib = to_mib(std::min(instant.budget_bytes, instant.kv_context_bytes));
  if (instant.scenario_us >= begun_us_ + apart_us_) close();
}

void SimTrace::on_tick(const Tick& tick) {
  level_ = static_cast<int>(tick.decision.level);
  open_.level = std::max(open_.level, level_);
}

void SimTrace::begin(const Instant& instant) {
  begun_us_ = instant.scenario_us;
  own_stall_us_ = 0;
  others_stall_us_ = 0;
  open_.headroom_mib = static_cast<double>(instant.headroom_bytes) / static_cast<double>(kMiB);
}

void SimTrace::close() {
  open_.own_stall_pct = share_pct(own_stall_us_, length_us_);
  open_.others_stall_pct = share_pct(others_stall_us_, length_us_);
  points_.push_back(open_);
  open_ = SimPoint{};
  open_.level = level_;
  length_us_ = 0;
}

std::string sim_trace_rows(const std::vector<SimPoint>& points) {
  std::string out;
  for (const SimPoint& p : points) {
    fmt::format_to(std::back_inserter(out),
                   "{:.3f}\t{:.2f}\t{:.2f}\t{:.3f}\t{:.3f}\t{:.3f}\t{:.3f}\t{:.3f}\t{}\n", p.t_s,
                   p.own_stall_pct, p.others_stall_pct, p.headroom_mib, p.kv_live_mib,
                   p.kv_resident_mib, p.kv_wanted_mib, p.budget_mib, p.level);
  }
  return out;
}

}  // namespace kvpsi
