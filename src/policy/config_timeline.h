// SPDX-License-Identifier: MIT
// ConfigTimeline: which configuration was in force for which tick of a journal. Pure. Next hop:
// journal/reader.h fills it, sim/replay.h and report/explain.h ask it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <vector>

#include "policy/config.h"

namespace kvpsi {

/// From this tick on (counted from 0) this configuration was in force.
struct ConfigFrom {
  std::size_t first_tick = 0;
  PolicyConfig config;

  bool operator==(const ConfigFrom&) const = default;
};

class ConfigTimeline {
 public:
  ConfigTimeline() = default;
  /// One configuration for all ticks. Not explicit: that is the usual case.
  ConfigTimeline(const PolicyConfig& config) : changes_{{0, config}} {}  // NOLINT

  /// In order of ticks. A second one before the same tick takes the place of the first.
  void begin_at(std::size_t tick, const PolicyConfig& config) {
    if (!changes_.empty() && changes_.back().first_tick == tick) changes_.pop_back();
    changes_.push_back({tick, config});
  }

  /// The configuration in force for a tick; nullptr before the first one. Owned by the timeline.
  const PolicyConfig* at(std::size_t tick) const {
    const auto after = std::ranges::upper_bound(changes_, tick, {}, &ConfigFrom::first_tick);
    return after == changes_.begin() ? nullptr : &std::prev(after)->config;
  }

  std::span<const ConfigFrom> changes() const { return changes_; }

 private:
  std::vector<ConfigFrom> changes_;
};

}  // namespace kvpsi
