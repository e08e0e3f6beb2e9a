// SPDX-License-Identifier: MIT
// See sim_disk.h.
#include "sim/sim_disk.h"

#include <algorithm>

#include "policy/arith.h"
#include "sim/constants.h"

namespace kvpsi {

std::uint64_t SimDisk::room_bytes(std::uint64_t held_bytes) const {
  return is_present() && !is_full_ ? minus(spec_.capacity_bytes, held_bytes) : 0;
}

SimDisk::Moved SimDisk::move(std::uint64_t bytes, std::uint64_t unit, std::uint64_t wait_us,
                             std::uint64_t now_us) {
  if (!is_moving_) {
    arrived_bytes_ = -spec_.latency_s * spec_.bytes_per_s;
  } else {
    const double passed_s = static_cast<double>(minus(now_us, moved_us_)) * 1e-6;
    arrived_bytes_ =
        std::min(arrived_bytes_ + passed_s * spec_.bytes_per_s, kMachine.staging_bytes);
  }
  moved_us_ = now_us;
  const double wait_bytes = static_cast<double>(wait_us) * 1e-6 * spec_.bytes_per_s;
  const std::uint64_t most = std::min(bytes, to_bytes(arrived_bytes_ + wait_bytes));
  Moved moved{.bytes = most - most % std::max<std::uint64_t>(unit, 1)};
  is_moving_ = moved.bytes < bytes;
  const double awaited =
      is_moving_ ? wait_bytes : std::max(0.0, static_cast<double>(moved.bytes) - arrived_bytes_);
  moved.waited_us = std::min(wait_us, to_bytes(awaited / spec_.bytes_per_s * 1e6));
  arrived_bytes_ += awaited - static_cast<double>(moved.bytes);
  return moved;
}

double SimDisk::read_s(std::uint64_t bytes) const {
  return spec_.latency_s + static_cast<double>(bytes) / spec_.bytes_per_s;
}

}  // namespace kvpsi
