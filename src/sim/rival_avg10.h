// SPDX-License-Identifier: MIT
// The rival `avg10`, the naive design, as the project that this one started from appears to work:
// once a second, while the kernel's ten-second average of own stall is at least 10 %, trim a fixed
// quarter of the live KV (kv_min_bytes is respected); nothing else. The average is rebuilt here
// from totals with the kernel's step of 2 s (kernel/sched/psi.c). Pure. Next hop: sim/laws.h.
#pragma once

#include <cstdint>

#include "policy/decide.h"

namespace kvpsi {

class Avg10Law {
 public:
  Decided operator()(const PolicyState& state, const Observation& observation,
                     const PolicyConfig& config);

 private:
  void move_average(const Sample& sample);

  double average_ = 0;
  std::uint64_t averaged_us_ = 0;  ///< 0 = no sample yet
  std::uint64_t stall_us_total_ = 0;
  std::uint64_t asked_us_ = 0;  ///< 0 = never
};

}  // namespace kvpsi
