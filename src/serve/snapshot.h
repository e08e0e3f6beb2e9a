// SPDX-License-Identifier: MIT
// Snapshot: what a governed server is and does at one moment, as its routes show it. Plain data,
// taken without any lock of the engine. Next hops: metrics.h, state.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "model/tick.h"
#include "policy/admission.h"
#include "serve/tick_totals.h"

namespace kvpsi {

/// Requests for new work, since the start but for `running` and `waiting`.
struct RequestCounts {
  std::uint64_t running = 0;                                  ///< admitted and not ended
  std::uint64_t waiting = 0;                                  ///< to be admitted
  std::uint64_t admitted = 0;                                 ///< in all
  std::uint64_t reduced = 0;                                  ///< answered with a reduced context
  std::array<std::uint64_t, kRefusals.size() + 1> refused{};  ///< by Refusal

  std::uint64_t refused_for(Refusal why) const { return refused[static_cast<std::size_t>(why)]; }
  std::uint64_t refused_total() const {
    return std::accumulate(refused.begin(), refused.end(), std::uint64_t{0});
  }
};

struct ServerSnapshot {
  std::string version;
  std::string llama_commit;
  int pid = 0;
  std::string model;  ///< as the command line names it; empty: it does not
  std::uint64_t uptime_s = 0;
  bool is_governed = false;               ///< a governor runs and acts
  std::vector<std::string> not_governed;  ///< what is not, and why, a line each
  std::optional<Tick> tick;               ///< the last turn, if there was one
  TickTotals totals;
  RequestCounts requests;
  Admission admission;  ///< what a request would get now
};

}  // namespace kvpsi
