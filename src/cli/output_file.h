// SPDX-License-Identifier: MIT
// Looks at a file that a command is about to write, before hours of work are done for nothing or
// something is overwritten that the same command reads. Must create and change nothing. Next hops:
// cmd_simulate_record, cmd_run_options.
#pragma once

#include <string>

#include "base/result.h"

namespace kvpsi {

/// Whether both names lead to one file: to one inode where it exists (hard and symbolic links),
/// else by path. An empty name is no file.
bool is_same_file(const std::string& a, const std::string& b);

/// Whether `path` can be written or created, as far as can be told beforehand. Errors, with the
/// path, the errno and `what` as the clause: invalid_argument for a directory, not_found (no such
/// folder), permission, io.
Result<void> check_output_file(const std::string& path, const std::string& what);

}  // namespace kvpsi
