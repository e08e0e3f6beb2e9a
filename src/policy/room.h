// SPDX-License-Identifier: MIT
// How much memory is left, honestly: the page cache that holds our own mapped weights looks
// reclaimable to the kernel, but decoding needs it. Pure arithmetic on one sample.
// Next hop: policy/fuse.h turns consecutive rooms into slopes.
#pragma once

#include <cstdint>
#include <limits>

#include "model/sample.h"
#include "policy/config.h"
#include "policy/state.h"

namespace kvpsi {

/// The tightest of machine and limit, by headroom less its upper reserve.
struct Room {
  Scope scope = Scope::none;
  std::int64_t headroom_bytes = std::numeric_limits<std::int64_t>::max();
  /// Headroom plus what we hold ourselves: falls only when others take memory.
  std::int64_t foreign_room_bytes = std::numeric_limits<std::int64_t>::max();
  std::uint64_t others_file_bytes = 0;  ///< group only: page cache that we do not map
  std::uint64_t reserve_low_bytes = 0;
  std::uint64_t reserve_high_bytes = 0;
  /// A limit under which there is less to reclaim (file pages, swap) than the upper reserve: it
  /// kills without stalling first. The reserves are doubled then.
  bool is_brittle = false;
  /// Where it is brittle: what our pools may take before anybody can look again.
  std::uint64_t surge_bytes = 0;
  /// Swap could take more than the upper reserve: a shortage slows down before it hurts.
  bool has_swap = false;
};

/// Machine: MemAvailable - max(own_file, own_file_wanted). Group: limit - usage + page cache of the
/// group - the same maximum, less the part of our file pages that cannot be charged there (more of
/// them are resident than the group has). Scope::none where the sample has neither. `surge_bytes`:
/// the most that our pools may take at once.
Room measure_room(const Sample& sample, std::uint64_t own_file_most_bytes,
                  const PolicyConfig& config, std::uint64_t surge_bytes = 0);

}  // namespace kvpsi
