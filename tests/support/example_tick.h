// SPDX-License-Identifier: MIT
// A tick in which every field holds a value of its own, so that a mix-up of two fields shows.
#pragma once

#include <limits>

#include "model/tick.h"

namespace kvpsi::test {

/// Fills fields with 1, 2, 3, ... in the order of the field table.
struct FillFields {
  std::uint64_t& next;
  void operator()(const Field&, std::uint64_t& value) const { value = next++; }
  void operator()(const Field&, std::int64_t& value) const {
    value = -static_cast<std::int64_t>(next++);
  }
  void operator()(const Field&, double& value) const { value = static_cast<double>(next++) / 3.0; }
  void operator()(const Field&, bool& value) const { value = next++ % 2 == 0; }
  void operator()(const Field&, std::optional<std::uint64_t>& value) const { value = next++; }
  void operator()(const Field&, std::optional<PsiTotals>& value) const {
    value = PsiTotals{next, next + 1};
    next += 2;
  }
  template <class T>
    requires std::is_enum_v<T>
  void operator()(const Field&, T& value) const {
    value = static_cast<T>(next++ % 3);
  }
};

inline Tick example_tick() {
  Tick tick;
  std::uint64_t next = 1;
  const FillFields fill{next};
  visit_fields(fill, tick.observation.sample);
  for (int i = 0; i < 3; ++i) {
    PoolView view;
    visit_fields(fill, view);
    tick.observation.pools.push_back(view);
    Outcome outcome;
    visit_fields(fill, outcome);
    tick.observation.outcomes.push_back(outcome);
    Action action;
    visit_fields(fill, action);
    tick.decision.actions.push_back(action);
  }
  tick.observation.give_back_asked = true;
  tick.observation.kv_soft_max_bytes = next++;
  visit_fields(fill, tick.signal);
  visit_fields(fill, tick.decision);
  tick.config_hash = 0xfedcba9876543210;
  tick.state_hash = 0x00000000000000ff;
  tick.dry_run = true;
  tick.cost_us = 123;
  return tick;
}

}  // namespace kvpsi::test
