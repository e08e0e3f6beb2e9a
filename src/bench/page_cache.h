// SPDX-License-Identifier: MIT
// Gets a file out of the page cache, and proves it. A squeeze is void if the model's pages are
// already in memory, charged to somebody else's group. Next hop: run_trial.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace kvpsi {

/// Bytes of the file that are in the page cache, by mincore on a read-only mapping (which brings
/// nothing in). Since Linux 5.2 mincore tells the truth only to the file's owner or who may write
/// to it; to others everything looks resident. Errors: not_found, io.
Result<std::uint64_t> cached_bytes(const std::string& path);

/// POSIX_FADV_DONTNEED until nothing is resident, at most `patience_ms`. Pages that another process
/// maps, or that are dirty, stay. Errors: busy (what remains, and who may hold it), not_found, io.
Result<void> drop_from_cache(const std::string& path, unsigned patience_ms);

}  // namespace kvpsi
