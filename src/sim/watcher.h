// SPDX-License-Identifier: MIT
// What a synthetic machine tells about itself after each of its internal steps: the truth that no
// governor sees. Checkers and plots listen. Must not influence the run. Next hop: sim/checker.h.
#pragma once

#include <cstdint>

namespace kvpsi {

/// One internal step of about 20 ms. Totals count from the start of the run.
struct Instant {
  std::uint64_t t_us = 0;         ///< the machine's clock, as the governor reads it
  std::uint64_t scenario_us = 0;  ///< where in the scenario we are: relief_s is compared with this
  std::uint64_t dt_us = 0;        ///< length of the step
  std::uint64_t shortage_bytes = 0;   ///< hot memory that does not fit, group or machine
  std::uint64_t own_stall_us = 0;     ///< in this step
  std::uint64_t others_stall_us = 0;  ///< in this step
  std::uint64_t kv_live_bytes = 0;
  std::uint64_t kv_resident_bytes = 0;
  /// What the workload would hold by now had nothing been trimmed or made to wait, capped by the
  /// context and --kv-max.
  std::uint64_t kv_full_bytes = 0;
  std::uint64_t kv_context_bytes = 0;  ///< the whole cache: context, capped by --kv-max
  std::int64_t headroom_bytes = 0;     ///< true room left; negative = shortage
  std::uint64_t budget_bytes = 0;      ///< as set by the governor; UINT64_MAX = unbounded
  std::uint64_t tokens_decoded = 0;    ///< total
  std::uint64_t tokens_lost = 0;       ///< total, gone for good
  std::uint64_t kv_on_disk_bytes = 0;  ///< paged out or trimmed, may come back
  bool disk_takes = false;             ///< rows could go to disk, as far as the pool knows
  bool disk_gives = false;             ///< rows can be read back
  std::uint64_t oom_kills = 0;         ///< total, of anybody
  bool engine_alive = true;
  bool pressed = false;  ///< with kv_full_bytes in memory somebody's demand would not fit

  /// Where in the scenario we are, in seconds.
  double t_s() const { return static_cast<double>(scenario_us) * 1e-6; }
};

class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void on_instant(const Instant& instant) = 0;
};

}  // namespace kvpsi
