// SPDX-License-Identifier: MIT
// A file without a name that only this process can reach and that is gone when it ends, however it
// ends. Where the file system cannot make one, a named file is made and unlinked at once.
// Next hop: spill_file.h.
#pragma once

#include <string>

#include "base/result.h"
#include "linux/fd.h"
#include "linux/spill_io.h"

namespace kvpsi {

/// The file, and whether it was opened with O_DIRECT.
struct PrivateFile {
  UniqueFd fd;
  bool is_direct = false;
};

/// Opens for reading and writing, mode 0600, closed on exec, direct where that is possible. First
/// removes what processes that died between making and unlinking have left (kvpsi-spill-PID-*).
/// Errors: not_found, permission, exhausted, io, each with the directory.
Result<PrivateFile> open_private_file(const std::string& directory, SpillIo& io);

}  // namespace kvpsi
