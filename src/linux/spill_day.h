// SPDX-License-Identifier: MIT
// SpillDay: bytes written to a directory's disk by spilling since midnight UTC, by all processes
// and over restarts, so that cheap flash is not worn out. One small text file, "DAY BYTES", under
// flock and changed by one write of fixed length. Must not hold the data. Next hop: spill_file.h.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "linux/fd.h"

namespace kvpsi {

/// The name of the file inside the spill directory. It stays when the process ends.
inline constexpr const char* kSpillDayFile = "kvpsi-spill-written";

/// Movable; not thread-safe, but several processes may have the same file open.
class SpillDay {
 public:
  SpillDay() = default;

  /// Errors: permission, io; malformed: the file holds something else (it is left alone).
  static Result<SpillDay> open(const std::string& directory, std::uint64_t daily_bytes);

  /// Counts `bytes` of this day (days since the epoch) before they are written; they stay counted
  /// when the write fails. Errors: exhausted (nothing counted), io, malformed.
  Result<void> charge(std::uint64_t day, std::uint64_t bytes);

  /// What may still be written on that day, as far as this process knows.
  std::uint64_t left_bytes(std::uint64_t day) const;

 private:
  Result<void> look(std::uint64_t& day, std::uint64_t& bytes) const;
  Error error(ErrorCode code, std::string what, int errno_value = 0) const;

  UniqueFd fd_;
  std::string path_;
  std::uint64_t daily_bytes_ = 0;
  std::uint64_t known_day_ = 0;
  std::uint64_t known_bytes_ = 0;
};

/// Days since the epoch, by the wall clock.
std::uint64_t spill_day_now();

}  // namespace kvpsi
