// SPDX-License-Identifier: MIT
// A number that travels with somebody else's file, as an extended attribute: through renames and
// restarts, not through every copy. Next hop: llama/saved_taint.h.
#pragma once

#include <cstdint>
#include <optional>

namespace kvpsi {

/// Sets it; no value: takes it away. `name` is below "user.". False: it could not be set, because
/// there is no such file, it is not ours to write, or its file system keeps no such attributes.
bool set_file_mark(const char* path, const char* name, std::optional<std::int64_t> value);

/// Nothing: the file has none. What is no number reads as 0.
std::optional<std::int64_t> read_file_mark(const char* path, const char* name);

}  // namespace kvpsi
