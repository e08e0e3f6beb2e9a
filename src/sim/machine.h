// SPDX-License-Identifier: MIT
// Machine: a synthetic computer behind the governor's real ports: RAM, a limited group, reclaim,
// swap, page cache, PSI, an engine with a KV cache, and neighbours. Start here in this folder. No
// I/O, no clock: time moves only inside wait(), everything follows from scenario and seed. Next
// hops: memory_model.h (who stalls), engine_model.h (who fills the cache), demand.h (neighbours).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/prng.h"
#include "govern/ports.h"
#include "sim/engine_model.h"
#include "sim/memory_model.h"
#include "sim/pressure_model.h"
#include "sim/scenario.h"
#include "sim/sim_disk.h"
#include "sim/sim_pools.h"
#include "sim/watcher.h"

namespace kvpsi {

/// Sums over a run so far.
struct Totals {
  std::uint64_t simulated_us = 0;  ///< of the scenario's time
  std::uint64_t steps = 0;
  std::uint64_t own_stall_us = 0;
  std::uint64_t others_stall_us = 0;
  std::uint64_t tokens_decoded = 0;
  std::uint64_t tokens_prefilled = 0;
  std::uint64_t tokens_trimmed = 0;
  std::uint64_t tokens_lost = 0;
  std::uint64_t tokens_faulted = 0;  ///< read back because their conversation woke up
  std::uint64_t turns_ended = 0;     ///< answers that were completed
  std::uint64_t bytes_released = 0;
  std::uint64_t oom_kills = 0;
  bool engine_killed = false;
  std::uint64_t digest = 0;  ///< over the state after each step: equal runs have equal digests
};

/// What a person or program asks of the governor during a scenario.
struct Requests {
  bool give_back = false;
  bool toggle_pause = false;
};

/// Not thread-safe: one thread drives the governor, the machine and the watcher.
class Machine final : public PressureSource, public Clock, private SafePointListener {
 public:
  /// Runs vary_scenario(scenario, seed).
  Machine(const Scenario& scenario, std::uint64_t seed);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// The KV cache and the scratch buffer. As long as the machine lives.
  std::span<MemoryPool* const> pools() { return pool_list_; }
  /// Told after each internal step; nullptr: nobody. Must outlive the machine.
  void set_watcher(Watcher* watcher) { watcher_ = watcher; }
  /// The scenario is over, or the engine was killed. wait() returns at once from then on.
  bool ended() const;
  const Totals& totals() const { return totals_; }
  /// The scenario as varied by the seed: what really happens when.
  const Scenario& scenario() const { return scenario_; }
  /// What was asked since the last call. wait() ends with Wake::asked when something is.
  Requests take_requests();

  // PressureSource and Clock.
  Wake wait(std::uint64_t timeout_us) override;
  void wake() override { woken_ = true; }
  Sample sample() override;
  std::uint64_t now_us() override { return now_us_; }

 private:
  /// One step; true when a pressure trigger fires at its end.
  bool advance(std::uint64_t dt_us);
  void at_safe_point() override;
  void run_events();
  void run_event(const EventSpec& event);
  void tell(const Stalls& stalls, std::uint64_t dt_us);

  const Scenario scenario_;
  Prng prng_;
  std::uint64_t now_us_;
  std::uint64_t scenario_us_ = 0;
  SimDisk disk_;
  EngineModel engine_;
  MemoryModel memory_;
  PressureModel pressure_;
  KvSimPool kv_pool_;
  ScratchSimPool scratch_pool_;
  std::array<MemoryPool*, 2> pool_list_;
  Watcher* watcher_ = nullptr;
  std::size_t next_event_ = 0;
  Requests requests_;
  bool is_paused_ = false;
  bool woken_ = false;
  Totals totals_;
};

}  // namespace kvpsi
