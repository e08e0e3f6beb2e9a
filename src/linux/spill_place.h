// SPDX-License-Identifier: MIT
// Where spilled bytes may lie: refuses directories in memory (nothing would be gained), on flash
// that spilling would wear out, full, read-only or missing ones, each with one line that says what
// to do. Creates nothing but the cache directory it proposes. Next hop: spill_file.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "linux/spill_io.h"

namespace kvpsi {

/// What a directory must be, and where the kernel says so.
struct SpillPlaceRules {
  bool allow_flash = false;                      ///< take eMMC and SD cards too (mmcblk*)
  std::optional<std::uint64_t> keep_free_bytes;  ///< empty: see keep_free_of
  std::string sys = "/sys";
  std::string mountinfo = "/proc/self/mountinfo";
};

/// Free bytes that spilling leaves on a disk unless told otherwise: 1 GiB, at most 5 % of it.
std::uint64_t keep_free_of(const DiskSpace& disk);

/// Errors: not_found, permission (not writable, read-only), invalid_argument (no directory),
/// unsupported (memory, flash), exhausted (less than 64 MiB beyond what stays free).
Result<void> check_spill_directory(const std::string& directory, const SpillPlaceRules& rules,
                                   SpillIo& io = system_spill_io());

/// The first of the candidates that check_spill_directory accepts; else one error with the reason
/// of each. Empty candidates are skipped.
Result<std::string> choose_spill_directory(std::span<const std::string> candidates,
                                           const SpillPlaceRules& rules);

/// Of $TMPDIR, /var/tmp and kvpsi/ in $XDG_CACHE_HOME or ~/.cache, which is made when the first two
/// will not do.
Result<std::string> default_spill_directory(const SpillPlaceRules& rules);

}  // namespace kvpsi
