// SPDX-License-Identifier: MIT
// SimTrace: listens to one simulated run and keeps what a picture of it needs, thinned to about a
// thousand points however long it is. Must not influence the run. Next hop: report/sim_plot.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "govern/ports.h"
#include "sim/watcher.h"

namespace kvpsi {

/// A piece of the run. Shares and extremes are over its whole length, levels of memory its last.
struct SimPoint {
  double t_s = 0;            ///< scenario time at its end
  double own_stall_pct = 0;  ///< of its time
  double others_stall_pct = 0;
  double headroom_mib = 0;  ///< least
  double kv_live_mib = 0;
  double kv_resident_mib = 0;
  double kv_wanted_mib = 0;  ///< what the workload would hold had nothing been given up
  double budget_mib = 0;     ///< unbounded: the whole cache
  int level = 0;             ///< highest, as Level counts
};

class SimTrace final : public Watcher, public EventSink {
 public:
  /// `duration_s` of the scenario; points are this far apart or one step, whichever is longer.
  explicit SimTrace(double duration_s);

  void on_instant(const Instant& instant) override;
  void on_tick(const Tick& tick) override;

  const std::vector<SimPoint>& points() const { return points_; }

 private:
  void begin(const Instant& instant);
  void close();

  const std::uint64_t apart_us_;
  std::vector<SimPoint> points_;
  SimPoint open_;
  std::uint64_t begun_us_ = 0;  ///< scenario time at which the open point began
  std::uint64_t length_us_ = 0;
  std::uint64_t own_stall_us_ = 0;
  std::uint64_t others_stall_us_ = 0;
  int level_ = 0;  ///< in force
};

/// Tab-separated, one line a point, columns in the order of SimPoint.
std::string sim_trace_rows(const std::vector<SimPoint>& points);

}  // namespace kvpsi
