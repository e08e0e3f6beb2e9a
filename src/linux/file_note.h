// SPDX-License-Identifier: MIT
// A number noted behind the last byte of somebody else's file, whose reader stops before it: it
// goes where the file goes, through renames, copies and restarts, and is gone when the file is
// written anew. Next hop: llama/saved_taint.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace kvpsi {

/// What a note takes.
inline constexpr std::uint64_t kFileNoteBytes = 32;

/// Appends it to a file that has none; the file is as it was where that fails. Errors: io, with the
/// path.
Result<void> append_file_note(const std::string& path, std::int64_t value);

/// Nothing: the file does not end in a note on what stands before it.
std::optional<std::int64_t> read_file_note(const std::string& path);

}  // namespace kvpsi
