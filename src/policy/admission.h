// SPDX-License-Identifier: MIT
// Admission: whether new work may start now, rung 4 of the ladder. A pure answer to the last turn,
// remembered by nobody: what ends the pressure ends the refusal in the same turn. Must not touch
// work that runs. Next hop: serve/refusal says it to the client.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "model/tick.h"

namespace kvpsi {

/// Why new work is refused.
enum class Refusal : std::uint8_t {
  none,
  critical,  ///< level critical, and it presses: not even one request alone
  high,      ///< level high or critical, room is short, and others run: these are to end first
  edge,      ///< the next prompts could take the last room of a limit that kills without stall
  budget,    ///< the live KV has reached the budget, and others run
  turn,      ///< others wait that came before
};

/// Those that are one, in the order of the enum.
inline constexpr std::array kRefusals = {Refusal::critical, Refusal::high, Refusal::edge,
                                         Refusal::budget, Refusal::turn};

constexpr std::string_view name(Refusal refusal) {
  switch (refusal) {
    case Refusal::none:
      return "none";
    case Refusal::critical:
      return "critical";
    case Refusal::high:
      return "high";
    case Refusal::edge:
      return "edge";
    case Refusal::budget:
      return "budget";
    case Refusal::turn:
      return "turn";
  }
  return "unknown";
}

/// What the server knows of its work at this moment.
struct Workload {
  std::uint64_t now_us = 0;   ///< on the clock of the ticks
  std::uint64_t running = 0;  ///< admitted requests that have not ended
  std::uint64_t waiting = 0;  ///< requests that came before this one and wait
  std::uint64_t request = 0;  ///< number of this one: spreads the retries
};

struct Admission {
  Refusal refusal = Refusal::none;
  unsigned retry_after_s = 0;  ///< 0 where it is admitted

  bool admits() const { return refusal == Refusal::none; }
};

/// A turn older than this says nothing: a governor that has stopped must not refuse for ever. One
/// that only waits for its pages on a machine that thrashes takes a few seconds.
inline constexpr std::uint64_t kTurnStaleUs = 30'000'000;

/// Whether a request may start after the turn `tick`. A request that would be alone is refused at
/// critical only, so that every server answers somebody. A level that is only held, with room
/// again, refuses nobody: a neighbour that has come and stopped growing would shut the server for
/// 12 s. While paused or dry everybody is admitted. Retries come after 2 to 4 s, at critical after
/// 5 to 10, so that they do not come together.
Admission admit(const Tick& tick, const Workload& work);

}  // namespace kvpsi
