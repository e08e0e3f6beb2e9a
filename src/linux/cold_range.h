// SPDX-License-Identifier: MIT
// ColdRanges: memory ranges outside the KV cache that nobody needs for a while (a prompt cache, an
// idle session) written to a SpillStore and released, and brought back bit for bit. Must not decide
// what is cold. Transfers go to and from the range itself: no buffer, no copy, no extra memory.
// Next hops: spill_file.h keeps the bytes, pages.h releases the pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "govern/ports.h"

namespace kvpsi {

/// What a call did to one range, in bytes of whole pages.
struct ColdResult {
  std::uint64_t bytes_moved = 0;  ///< written and released, or read back
  std::uint64_t bytes_lost = 0;   ///< could not be brought back; these pages read as zero now
  std::vector<Error> errors;      ///< one for each block that failed: which bytes of which range
};

/// All calls from one thread, which may wait for the disk. From page_out until bring_back or forget
/// the caller keeps everybody off the range, except off its edges: bytes before its first and
/// behind its last whole page stay in memory. Private anonymous memory only. The store must
/// outlive it; what is out when it ends is erased and lost.
class ColdRanges {
 public:
  /// Blocks of at most `block_bytes`, a multiple of the page size and of SpillStore::kAlignment.
  ColdRanges(SpillStore& store, std::uint64_t context, std::uint64_t block_bytes = 3 << 20);
  ~ColdRanges();
  ColdRanges(const ColdRanges&) = delete;
  ColdRanges& operator=(const ColdRanges&) = delete;

  /// Writes the whole pages of the range, block after block, and releases each block's pages once
  /// it is kept. Stops at the first block that fails: it and the rest stay in memory. The range
  /// overlaps none that is out. Waits between blocks as the store advises.
  ColdResult page_out(const std::string& name, std::span<std::byte> range);

  /// Brings back everything of the range, as given to page_out. A block that is lost leaves zeros
  /// and an error; the others come back. Afterwards nothing of the range is out. A range that is
  /// not out is nothing to do.
  ColdResult bring_back(std::span<std::byte> range);

  /// The memory was freed or is not needed: drops every range that overlaps it, untouched.
  void forget(std::span<const std::byte> memory);

  std::uint64_t bytes_out() const { return bytes_out_; }

 private:
  struct Piece {
    std::byte* at = nullptr;
    SpillBlock block;
  };
  struct Range {
    std::string name;
    std::span<std::byte> memory;
    std::vector<Piece> pieces;
  };

  void drop(Range& range);
  Error name_error(const Range& range, std::span<const std::byte> bytes, const Error& why) const;

  SpillStore& store_;
  const std::uint64_t context_;
  const std::uint64_t block_bytes_;
  std::uint64_t next_serial_ = 0;
  std::uint64_t bytes_out_ = 0;
  std::vector<Range> ranges_;
};

}  // namespace kvpsi
