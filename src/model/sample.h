// SPDX-License-Identifier: MIT
// Sample: what the kernel says at one instant. Plain numbers, read by linux/, never interpreted
// here; a fact the machine does not offer is an empty optional, not an error and not a zero.
// Next hop: policy/fuse turns two samples into a Signal.
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>

#include "model/field.h"

namespace kvpsi {

/// The two counters of a PSI file's `total=` fields, microseconds stalled since creation of the
/// group (Documentation/accounting/psi.rst). Re-aggregated by the kernel at every read.
struct PsiTotals {
  std::uint64_t some_us_total = 0;
  std::uint64_t full_us_total = 0;
  bool operator==(const PsiTotals&) const = default;
};

/// One reading of all sources. Trivially copyable; sizes in bytes, times in microseconds.
struct Sample {
  std::uint64_t t_us = 0;

  // Stall: own group, the nearest readable parent that is not the root, the whole system.
  std::optional<PsiTotals> psi_own;
  std::optional<PsiTotals> psi_parent;
  std::optional<PsiTotals> psi_system;

  // The machine (/proc/meminfo).
  std::optional<std::uint64_t> mem_total_bytes;
  std::optional<std::uint64_t> mem_available_bytes;
  std::optional<std::uint64_t> swap_free_bytes;

  // The tightest limit over our group and its ancestors (the one with the least headroom).
  std::optional<std::uint64_t> group_limit_bytes;
  std::optional<std::uint64_t> group_usage_bytes;
  std::optional<std::uint64_t> group_file_bytes;  ///< page cache charged there (active + inactive)
  /// v2: memory.events high + max; v1: failcnt. Moves when the limit makes somebody reclaim.
  std::optional<std::uint64_t> group_limit_hits_total;
  std::optional<std::uint64_t> group_oom_kills_total;
  std::optional<std::uint64_t> group_refault_pages_total;  ///< workingset_refault_* where offered
  std::optional<std::uint64_t> group_swap_free_bytes;      ///< least over all limits on swap

  // Reclaim system-wide (/proc/vmstat). Stays still while only a group's limit is hit.
  std::optional<std::uint64_t> system_scan_pages_total;  ///< pgscan_direct + pgscan_kswapd
  std::optional<std::uint64_t> system_swapin_pages_total;

  /// Events of the pressure watch that a service manager gave us (MEMORY_PRESSURE_WATCH): somebody
  /// asks programs to give memory back. Absent without one.
  std::optional<std::uint64_t> pressure_hints_total;

  // Other governed processes that give up context too, those of the machine and those that live
  // under the tightest limit with us. At most two seconds old. Absent where nobody can tell.
  std::optional<std::uint64_t> peers_anon_bytes;
  std::optional<std::uint64_t> group_peers_anon_bytes;

  // Ourselves (/proc/self/status, /proc/self/stat).
  std::uint64_t own_anon_bytes = 0;
  std::uint64_t own_file_bytes = 0;
  std::uint64_t own_swap_bytes = 0;
  std::uint64_t own_major_faults_total = 0;
  /// File-backed bytes that decoding needs resident (mapped weights), told by the engine: the part
  /// of the page cache that only looks reclaimable.
  std::uint64_t own_file_wanted_bytes = 0;

  bool operator==(const Sample&) const = default;
};

/// The field table of Sample. `visit(Field, member&)` is called once a field, in order; S is
/// Sample or const Sample. Optional PSI pairs are visited as optional<PsiTotals>.
template <class Visitor, class S>
void visit_fields(Visitor&& visit, S& s)
  requires std::is_same_v<std::remove_const_t<S>, Sample>
{
  visit(Field{"t_us", "us", "monotonic time of the sample"}, s.t_us);
  visit(Field{"psi_own", "us", "memory stall totals of the own group"}, s.psi_own);
  visit(Field{"psi_parent", "us", "memory stall totals of the nearest readable parent"},
        s.psi_parent);
  visit(Field{"psi_system", "us", "memory stall totals of the machine"}, s.psi_system);
  visit(Field{"mem_total_bytes", "bytes", "memory of the machine"}, s.mem_total_bytes);
  visit(Field{"mem_available_bytes", "bytes", "MemAvailable"}, s.mem_available_bytes);
  visit(Field{"swap_free_bytes", "bytes", "SwapFree"}, s.swap_free_bytes);
  visit(Field{"group_limit_bytes", "bytes", "the tightest limit above us"}, s.group_limit_bytes);
  visit(Field{"group_usage_bytes", "bytes", "usage of the group with that limit"},
        s.group_usage_bytes);
  visit(Field{"group_file_bytes", "bytes", "page cache charged to that group"}, s.group_file_bytes);
  visit(Field{"group_limit_hits_total", "1", "times the limit forced reclaim"},
        s.group_limit_hits_total);
  visit(Field{"group_oom_kills_total", "1", "OOM kills in that group"}, s.group_oom_kills_total);
  visit(Field{"group_refault_pages_total", "pages", "pages read back soon after eviction"},
        s.group_refault_pages_total);
  visit(Field{"group_swap_free_bytes", "bytes", "swap that the groups' limits still allow"},
        s.group_swap_free_bytes);
  visit(Field{"system_scan_pages_total", "pages", "pages scanned by reclaim, system-wide"},
        s.system_scan_pages_total);
  visit(Field{"system_swapin_pages_total", "pages", "pages swapped in"},
        s.system_swapin_pages_total);
  visit(Field{"pressure_hints_total", "1", "events of the service manager's pressure watch"},
        s.pressure_hints_total);
  visit(Field{"peers_anon_bytes", "bytes", "anonymous memory of other governed processes"},
        s.peers_anon_bytes);
  visit(Field{"group_peers_anon_bytes", "bytes", "of those of them under the tightest limit"},
        s.group_peers_anon_bytes);
  visit(Field{"own_anon_bytes", "bytes", "own anonymous resident memory"}, s.own_anon_bytes);
  visit(Field{"own_file_bytes", "bytes", "own file-backed resident memory"}, s.own_file_bytes);
  visit(Field{"own_swap_bytes", "bytes", "own swapped memory"}, s.own_swap_bytes);
  visit(Field{"own_major_faults_total", "1", "own page faults that needed I/O"},
        s.own_major_faults_total);
  visit(Field{"own_file_wanted_bytes", "bytes", "mapped weights that decoding needs"},
        s.own_file_wanted_bytes);
}

}  // namespace kvpsi
