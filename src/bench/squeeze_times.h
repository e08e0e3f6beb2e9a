// SPDX-License-Identifier: MIT
// What a recorded squeeze says about the governor: when it acted first after the onset, what it
// gave back, and after the relief how long it went on and when the cache had its full size again.
// Pure: the same function reads the ticks of a real run and of a simulated one.
// Next hop: reality_rows compares the two.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/tick.h"

namespace kvpsi {

/// Seconds count from the onset or from the relief, as each says.
struct SqueezeTimes {
  bool calm_at_onset = false;  ///< level calm and the whole cache allowed: else it tells nothing
  std::optional<double> first_stall_s;   ///< from onset: first turn that sees own stall
  std::optional<double> first_action_s;  ///< from onset: first turn that answers pressure
  double own_stall_s = 0;                ///< stalled time from onset to relief
  std::uint64_t bytes_returned = 0;      ///< measured, onset to relief, asked for in that time
  std::uint64_t tokens_trimmed = 0;      ///< the same
  Level highest_level = Level::calm;     ///< onset to relief
  /// From relief: the last action that spills, compacts or trims for pressure; 0 = none followed.
  double last_action_s = 0;
  std::uint64_t tokens_trimmed_after = 0;  ///< after relief
  /// From relief: calm, the whole cache allowed, and so it stays to the end; empty: not reached.
  std::optional<double> full_size_s;
  bool relapsed = false;  ///< it was so after the relief, and then no longer
  double followed_s = 0;  ///< from relief to the last turn

  bool operator==(const SqueezeTimes&) const = default;
};

/// Reads ticks in order of time; those before the onset matter as its starting point only.
/// `onset_us` < `relief_us`, on the clock of the ticks.
SqueezeTimes find_times(std::span<const Tick> ticks, std::uint64_t onset_us,
                        std::uint64_t relief_us);

/// Live tokens of the KV cache as the last tick has them; 0 where there is none.
std::uint64_t last_live_tokens(std::span<const Tick> ticks);

}  // namespace kvpsi
