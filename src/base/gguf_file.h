// SPDX-License-Identifier: MIT
// Reads the header of a model file from disk, and no more than that: reading weights would charge
// their page cache to the reader's group. Parsing is gguf_header's business.
#pragma once

#include <cstdint>
#include <string>

#include "base/gguf_header.h"
#include "base/result.h"

namespace kvpsi {

/// The header and the size of the file it came from.
struct GgufFile {
  GgufHeader header;
  std::uint64_t file_bytes = 0;
};

/// Reads and parses. Errors: not_found, permission, io (the file), malformed (its content, see
/// parse_gguf_header). Reads 1 MiB at first and at most 256 MiB.
Result<GgufFile> read_gguf_file(const std::string& path);

}  // namespace kvpsi
