// SPDX-License-Identifier: MIT
// SHA-256 (FIPS 180-4), to name the model file in the results. Pure but for hash_file.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace kvpsi {

/// Digest of bytes that arrive in pieces.
class Sha256 {
 public:
  void add(std::span<const unsigned char> bytes);
  /// The digest in hexadecimal; the object is spent.
  std::string finish();

 private:
  void add_block(const unsigned char* block);

  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> rest_{};
  std::size_t rest_bytes_ = 0;
  std::uint64_t total_bytes_ = 0;
};

/// Reads the file once. It lands in the page cache, charged to the caller's group: drop it
/// afterwards (page_cache.h). Errors: not_found, io.
Result<std::string> hash_file(const std::string& path);

}  // namespace kvpsi
