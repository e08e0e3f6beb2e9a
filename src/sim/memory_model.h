// SPDX-License-Identifier: MIT
// Who has which memory, what is reclaimed, who stalls for it and who is killed: two nested domains
// (our limited group, the machine), each with anonymous memory, hot and cold page cache, and swap
// below both. The cliff of constants.h lives here. Must not know of policies or pools. Next hop:
// machine.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/prng.h"
#include "model/sample.h"
#include "sim/engine_model.h"
#include "sim/pressure_model.h"
#include "sim/scenario.h"

namespace kvpsi {

class MemoryModel {
 public:
  MemoryModel(const Scenario& scenario, Prng& prng);

  /// One step of dt_s that ends at t_s, with the engine's memory as it stands. Returns who stalled.
  Stalls advance(double t_s, double dt_s, const EngineMemory& engine);

  void set_limit(std::optional<std::uint64_t> bytes) { limit_bytes_ = bytes; }
  /// Counters start from 0 and count on.
  void reset_counters() { counts_ = {}; }

  /// Fills in everything but time and pressure.
  void fill(Sample& sample) const;

  /// Share of its speed that the engine has left, 0..1.
  double speed() const { return speed_; }
  /// True room for hot memory; negative = shortage.
  std::int64_t headroom_bytes() const { return headroom_bytes_; }
  /// What neighbours want and have not got yet.
  std::uint64_t wanted_bytes() const { return wanted_bytes_; }
  std::uint64_t oom_kills() const { return oom_kills_; }
  bool is_engine_killed() const { return is_engine_killed_; }

 private:
  struct Neighbour {
    NeighbourSpec spec;
    bool is_killed = false;
    bool is_there = false;         ///< wants memory at the moment
    std::uint64_t anon_bytes = 0;  ///< what it has
    std::uint64_t file_bytes = 0;  ///< hot page cache it wants
  };
  /// A place where memory is limited.
  struct Domain {
    bool exists = false;
    std::uint64_t capacity_bytes = 0;
    std::uint64_t anon_bytes = 0;      ///< with what is swapped out
    std::uint64_t swapped_bytes = 0;   ///< RAM saved by swap
    std::uint64_t hot_file_bytes = 0;  ///< wanted
    std::uint64_t cold_file_bytes = 0;
    std::uint64_t swappable_bytes = 0;  ///< cold anonymous memory that may go to swap
    bool is_group = false;

    std::uint64_t resident_anon() const { return anon_bytes - swapped_bytes; }
    std::int64_t room() const;
  };
  struct Counts {
    double hits = 0;
    double scan_pages = 0;
    double swapin_pages = 0;
    double refault_pages = 0;
    double major_faults = 0;
    std::uint64_t group_oom_kills = 0;
  };

  void move_neighbours(double t_s, double dt_s);
  void measure(const EngineMemory& engine);
  void swap_out(double dt_s);
  void kill_for(Domain& domain);
  void settle_cold_files(Domain& domain, double limit_bytes, double dt_s);
  void settle_hot_files(double dt_s);
  void follow_episode(double dt_s);
  Stalls find_stalls() const;
  double walk_speed() const;
  bool thrashes() const { return short_for_s_ > 0 && short_for_s_ >= onset_s_; }
  void count(const Stalls& stalls, double dt_s);
  bool is_tight(const Neighbour& neighbour) const;

  const MachineSpec machine_;
  const EngineSpec engine_spec_;
  const std::uint64_t group_cold_spec_bytes_;
  Prng& prng_;
  std::vector<Neighbour> neighbours_;
  std::optional<std::uint64_t> limit_bytes_;
  EngineMemory engine_;
  Domain group_;
  Domain outer_;                    ///< the machine
  double swapped_bytes_ = 0;        ///< in swap, of anybody
  double group_swapped_bytes_ = 0;  ///< of that, charged to our group
  bool is_swapping_ = false;
  double evicted_weights_bytes_ = 0;
  double evicted_others_bytes_ = 0;
  bool is_growing_ = false;  ///< a neighbour takes memory
  double short_for_s_ = 0;   ///< how long hot memory has not fitted; 0: it fits
  double onset_s_ = 0;       ///< of this episode
  double miss_ = 0;          ///< share of the weights missed by a walk, this episode
  double speed_ = 1;
  std::int64_t headroom_bytes_ = 0;
  std::uint64_t wanted_bytes_ = 0;
  Counts counts_;
  std::uint64_t oom_kills_ = 0;
  bool is_engine_killed_ = false;
};

}  // namespace kvpsi
