// SPDX-License-Identifier: MIT
// SimDisk: where spilled rows go on a synthetic machine. Moves bytes in the background at its rate,
// as a thread with two staging buffers does, and may be slow, full or broken for a while. Holds no
// rows: engine_model.h counts them. Next hop: sim_pools.h.
#pragma once

#include <cstdint>

#include "sim/scenario.h"

namespace kvpsi {

class SimDisk {
 public:
  explicit SimDisk(const DiskSpec& spec) : spec_(spec) {}

  bool is_present() const { return spec_.is_present; }
  /// Reads and writes fail, which nobody knows before trying.
  bool is_broken() const { return is_broken_; }
  /// What fits beside `held_bytes`.
  std::uint64_t room_bytes(std::uint64_t held_bytes) const;

  /// What arrived, and how long was waited for it.
  struct Moved {
    std::uint64_t bytes = 0;
    std::uint64_t waited_us = 0;
  };
  /// Goes on moving `bytes`, in units of `unit` bytes: what has arrived since the last call, and
  /// what does within `wait_us` more. The first call of a transfer begins it. `now_us` must not run
  /// backwards.
  Moved move(std::uint64_t bytes, std::uint64_t unit, std::uint64_t wait_us, std::uint64_t now_us);
  /// How long somebody waits who reads so much at once.
  double read_s(std::uint64_t bytes) const;

  void set_full(bool full) { is_full_ = full; }
  void set_broken(bool broken) { is_broken_ = broken; }
  void set_rate(double bytes_per_s) { spec_.bytes_per_s = bytes_per_s; }

 private:
  DiskSpec spec_;
  bool is_full_ = false;
  bool is_broken_ = false;
  bool is_moving_ = false;
  double arrived_bytes_ = 0;  ///< staged and not yet taken; below 0 while the first waits
  std::uint64_t moved_us_ = 0;
};

}  // namespace kvpsi
