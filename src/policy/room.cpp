// SPDX-License-Identifier: MIT
// Headroom of the machine and of the tightest limit; see room.h.
#include "policy/room.h"

#include <algorithm>
#include <limits>

#include "policy/arith.h"

namespace kvpsi {
namespace {

Room make_room(Scope scope, Wide headroom, Wide own_bytes, std::uint64_t low, std::uint64_t high) {
  Room room;
  room.scope = scope;
  room.headroom_bytes = saturate(headroom);
  room.foreign_room_bytes = saturate(headroom + own_bytes);
  room.reserve_low_bytes = low;
  room.reserve_high_bytes = std::max(low, high);
  return room;
}

Room measure_system(const Sample& sample, std::uint64_t kept_bytes, const PolicyConfig& config) {
  const Wide headroom = Wide{*sample.mem_available_bytes} - kept_bytes;
  std::uint64_t low = config.reserve_low_bytes;
  std::uint64_t high = config.reserve_high_bytes;
  if (sample.mem_total_bytes) {
    const std::uint64_t total = *sample.mem_total_bytes;
    low = std::min(std::max(low, share_of(total, config.system_reserve_low_share)),
                   share_of(total, config.system_reserve_low_max_share));
    high = std::min(std::max(high, share_of(total, config.system_reserve_high_share)),
                    share_of(total, config.system_reserve_high_max_share));
  }
  Room room =
      make_room(Scope::system, headroom, Wide{sample.own_anon_bytes} + kept_bytes, low, high);
  room.has_swap = sample.swap_free_bytes.value_or(0) >= room.reserve_high_bytes;
  return room;
}

Room measure_group(const Sample& sample, std::uint64_t kept_bytes, const PolicyConfig& config,
                   std::uint64_t surge_bytes) {
  const std::uint64_t limit = *sample.group_limit_bytes;
  const std::uint64_t file = sample.group_file_bytes.value_or(0);
  const std::uint64_t charged_elsewhere = minus(sample.own_file_bytes, file);
  const std::uint64_t kept = minus(kept_bytes, charged_elsewhere);
  const Wide headroom = Wide{limit} - *sample.group_usage_bytes + file - kept;
  // A limit has no watermarks below it, so its reserves only cover growth and the neighbours'
  // files.
  const std::uint64_t low =
      std::min(share_of(limit, config.group_reserve_low_share), config.reserve_low_bytes);
  const std::uint64_t high =
      std::min(share_of(limit, config.group_reserve_high_share), config.reserve_high_bytes);
  // A limit of the group's own on swap (none at all in most containers) binds first.
  const std::uint64_t swap =
      std::min(sample.swap_free_bytes.value_or(0),
               sample.group_swap_free_bytes.value_or(std::numeric_limits<std::uint64_t>::max()));
  const bool is_brittle = sample.group_file_bytes && Wide{file} + swap < Wide{high};
  const std::uint64_t factor = is_brittle ? 2 : 1;
  Room room = make_room(Scope::group, headroom, Wide{sample.own_anon_bytes} + kept, low * factor,
                        high * factor);
  room.is_brittle = is_brittle;
  if (is_brittle) {
    room.surge_bytes = std::min(surge_bytes, share_of(limit, config.surge_max_share));
  }
  room.has_swap = swap >= room.reserve_high_bytes;
  room.others_file_bytes = minus(file, sample.own_file_bytes);
  return room;
}

Wide margin(const Room& room) { return Wide{room.headroom_bytes} - room.reserve_high_bytes; }

/// v1 writes "no limit" as a number near 2^63; a limit above the machine binds nobody.
bool has_limit(const Sample& sample) {
  if (!sample.group_limit_bytes || !sample.group_usage_bytes) return false;
  const std::uint64_t ceiling = sample.mem_total_bytes.value_or(std::uint64_t{1} << 62);
  return *sample.group_limit_bytes < ceiling;
}

}  // namespace

Room measure_room(const Sample& sample, std::uint64_t own_file_most_bytes,
                  const PolicyConfig& config, std::uint64_t surge_bytes) {
  const std::uint64_t kept =
      std::max({sample.own_file_bytes, sample.own_file_wanted_bytes, own_file_most_bytes});
  Room room;
  if (sample.mem_available_bytes) room = measure_system(sample, kept, config);
  if (has_limit(sample)) {
    const Room group = measure_group(sample, kept, config, surge_bytes);
    if (room.scope == Scope::none || margin(group) < margin(room)) room = group;
  }
  return room;
}

}  // namespace kvpsi
