// SPDX-License-Identifier: MIT
// Checker: one property that every run on the synthetic machine must have. It sees the truth of
// each instant and each turn of the governor, and judges; it must not influence the run. One file
// a checker (check_*.cpp). Next hop: sim/run.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/tick.h"
#include "sim/scenario.h"
#include "sim/watcher.h"

namespace kvpsi {

/// A property that did not hold.
struct Violation {
  std::string checker;
  double t_s = 0;    ///< of the scenario's time
  std::string what;  ///< one clause with numbers
};

class Checker {
 public:
  virtual ~Checker() = default;
  virtual void on_instant(const Instant& instant) = 0;
  virtual void on_tick(const Tick& tick) = 0;
  /// The run is over; `out` gets what was found, each kind once.
  virtual void finish(std::vector<Violation>& out) = 0;
};

/// Limits, floors and promises: no OOM kill that the scenario does not allow, no context lost that
/// a file could have kept, none trimmed below keep and tail and the floor, no second step of a kind
/// while one is in flight, no more trimmed than asked, no restore under pressure, nothing done
/// where it is not our pressure.
std::unique_ptr<Checker> make_safety_checker(const Scenario& scenario);

/// Once pressure has ended for `settle_s`, the level is calm, the whole cache may be used, and what
/// went to disk has come back where there is room.
std::unique_ptr<Checker> make_liveness_checker(const Scenario& scenario);

/// What the cache may hold turns, from growing to shrinking or back, at most twice within any
/// minute; trimming counts as shrinking. Nor do spills and trims on one side and restores on the
/// other take turns more often.
std::unique_ptr<Checker> make_stability_checker();

}  // namespace kvpsi
