// SPDX-License-Identifier: MIT
// Reads a small text file that a person named: whole, bounded, and without waiting for anybody.
// Must not be used for kernel files, which are read again and again. Next hop: whoever parses it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace kvpsi {

/// No file that people write by hand is larger.
inline constexpr std::uint64_t kMostSmallFileBytes = std::uint64_t{1} << 20;

/// The content of `path`; pipes are read too, but a FIFO that nobody writes to counts as empty.
/// Errors, each with the path: not_found, permission or io with the errno; invalid_argument for a
/// directory, an empty file, or more than `most_bytes` (endless devices end there).
Result<std::string> read_named_file(const std::string& path,
                                    std::uint64_t most_bytes = kMostSmallFileBytes);

}  // namespace kvpsi
