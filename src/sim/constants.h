// SPDX-License-Identifier: MIT
// MachineConstants: what the synthetic kernel and engine do, each with where the number comes from.
// "Measured" means on the project's own machine (2 cores, kernel 6.18, no swap; see
// docs/measurements.md). Scenario files say what differs from run to run. Next hop: memory_model.h.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace kvpsi {

struct MachineConstants {
  /// Length of an internal step. Shorter than any reaction of the governor to an onset.
  std::uint64_t step_us = 20'000;

  // The cliff: weights are walked from end to end by each token (or prefill batch), and
  // least-recently-used reclaim evicts what comes next. So a little too little memory costs a
  // re-read of this share of the weights in every walk, at the disk's speed. Measured, S2, eight
  // runs: 6.9 instead of 45 tokens/s, 94-108 thousand refaults/s, that is half of the weights.
  double miss_low = 0.45;
  double miss_high = 0.60;
  /// Of the time spent on re-reading, what PSI counts (measured: 54-56 % of all time stalled in
  /// decoding, of which 84 % goes to re-reading).
  double reading_stall = 0.64;
  double onset_low_s = 0.1;  ///< measured: first stall 0.1-0.5 s after the shortage
  double onset_high_s = 0.5;
  double read_back_stall = 0.50;  ///< the same faults after relief, but each page is read once
  double read_back_speed = 0.50;
  /// `full` of `some`, measured in eight S2 runs: one thread computes, so all tasks stall.
  double full_share = 0.97;
  // Counters while the engine re-reads, measured there: charges that met the limit (v1 failcnt),
  // and own major faults; read-ahead and fault-around hide most.
  double hits_per_s = 74'000;
  double major_faults_per_s = 27;

  /// Text and libraries of a process: hot, file-backed, declared by nobody.
  std::uint64_t hidden_file_bytes = 6 * kMiB;
  /// The same of all other programs, as a share of the machine: what thrashes before anybody is
  /// killed on a machine without swap.
  double others_file_share = 0.02;
  /// A program that takes memory touches it at about this rate (memset of 4 KiB pages).
  double touch_bytes_per_s = 1.0 * static_cast<double>(kGiB);
  /// Share of time that a growing program stalls in direct reclaim at a full limit.
  double growth_stall = 0.10;
  /// Page cache that nobody needs comes back at this rate (a log, a copy) and is charged again.
  double cold_refill_bytes_per_s = 8.0 * static_cast<double>(kMiB);
  /// A program thrashing inside its own limit stalls this share of the time (measured: 0.4-0.6).
  double foreign_stall = 0.5;

  /// The machine keeps this share for itself: watermarks (min_free_kbytes and its like).
  double watermark_share = 0.01;
  /// Of the memory of neighbours and of the rest of the machine, not in use: goes to swap first.
  double neighbour_cold_share = 0.3;
  double other_cold_share = 0.5;
  /// RAM saved by a byte in zram; 1 for a disk. KV does not compress (lz4 1.01x) and stays.
  double zram_gain = 0.6;
  double zram_bytes_per_s = 1.0 * static_cast<double>(kGiB);
  double swap_stall = 0.30;  ///< while pages go to swap or come back

  /// MADV_DONTNEED over 4 KiB pages, measured: 137 ms a GiB.
  double release_bytes_per_s = static_cast<double>(kGiB) / 0.137;
  std::uint64_t safe_point_us = 20'000;  ///< most time for giving back at one safe point
  std::uint64_t prefill_batch = 128;     ///< tokens in one decode call of a prefill
  std::uint64_t min_prune_tokens = 64;   ///< fewer are never trimmed
  double idle_s = 1;  ///< a conversation at rest for so long counts as idle and may be spilled
  /// Two blocks of 8 MiB between engine and disk: more does not arrive from one safe point to the
  /// next.
  double staging_bytes = 16.0 * static_cast<double>(kMiB);
  double refused_s = 10;  ///< a disk that failed is not written to for so long

  /// A trigger without privileges: this much stall in a window of 2 s, looked at when the kernel
  /// updates its averages (PSI_FREQ), at a phase of its own for each group.
  std::uint64_t trigger_us = 100'000;
  std::uint64_t psi_tick_us = 2'000'000;
};

inline constexpr MachineConstants kMachine{};

}  // namespace kvpsi
