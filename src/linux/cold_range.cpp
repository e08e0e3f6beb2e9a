// SPDX-License-Identifier: MIT
// Blocks of cold_range.h: written from where they are, released, read back to the same place.
#include "linux/cold_range.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <utility>

#include "base/assert.h"
#include "linux/pages.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kMostPauseUs = 1'000'000;

/// The whole pages of a range.
std::span<std::byte> whole_pages(std::span<std::byte> range) {
  const auto begin = reinterpret_cast<std::uintptr_t>(range.data());
  const PageRange pages = round_inwards(begin, begin + range.size());
  return range.subspan(pages.begin - begin, pages.end - pages.begin);
}

Result<void> release(std::span<std::byte> pages) {
  const auto begin = reinterpret_cast<std::uintptr_t>(pages.data());
  const std::array<PageRange, 1> ranges{PageRange{begin, begin + pages.size()}};
  const auto released = release_pages(ranges, 0);
  if (!released) return std::unexpected(released.error());
  if (released->ranges_failed > 0) {
    return fail(ErrorCode::unsupported, "its pages cannot be released (locked memory?)", {},
                released->first_errno);
  }
  return {};
}

bool overlap(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.data() < b.data() + b.size() && b.data() < a.data() + a.size();
}

}  // namespace

ColdRanges::ColdRanges(SpillStore& store, std::uint64_t context, std::uint64_t block_bytes)
    : store_(store), context_(context), block_bytes_(block_bytes) {
  KVPSI_ASSERT(block_bytes > 0 && block_bytes <= SpillStore::kMaxBlockBytes);
  KVPSI_ASSERT(block_bytes % page_bytes() == 0 && block_bytes % SpillStore::kAlignment == 0);
}

ColdRanges::~ColdRanges() {
  for (Range& range : ranges_) drop(range);
}

ColdResult ColdRanges::page_out(const std::string& name, std::span<std::byte> memory) {
  Range range{.name = name, .memory = memory, .pieces = {}};
  ColdResult result;
  std::span<std::byte> rest = whole_pages(memory);
  for (const Range& other : ranges_) KVPSI_ASSERT(!overlap(other.memory, memory));
  // Before anything is released: without memory for the books nothing may go.
  range.pieces.reserve((rest.size() + block_bytes_ - 1) / block_bytes_);
  ranges_.reserve(ranges_.size() + 1);
  while (!rest.empty()) {
    const auto bytes = rest.first(std::min<std::uint64_t>(block_bytes_, rest.size()));
    const std::uint64_t pause_us = std::min(store_.pause_us(), kMostPauseUs);
    if (pause_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(pause_us));
    const SpillIdentity identity{.context = context_, .serial = next_serial_++};
    const auto block = store_.write(identity, bytes, bytes.size());
    if (!block) {
      result.errors.push_back(name_error(range, bytes, block.error()));
      break;
    }
    if (const auto released = release(bytes); !released) {
      // Part of it may be gone all the same, so it is read back before the copy is given up.
      const auto back = store_.read(*block, bytes);
      store_.erase(*block);
      result.bytes_lost += back ? 0 : bytes.size();
      result.errors.push_back(name_error(range, bytes, released.error()));
      break;
    }
    range.pieces.push_back({bytes.data(), *block});
    result.bytes_moved += bytes.size();
    rest = rest.subspan(bytes.size());
  }
  bytes_out_ += result.bytes_moved;
  if (!range.pieces.empty()) ranges_.push_back(std::move(range));
  return result;
}

ColdResult ColdRanges::bring_back(std::span<std::byte> memory) {
  ColdResult result;
  const auto found = std::ranges::find_if(ranges_, [&](const Range& range) {
    return range.memory.data() == memory.data() && range.memory.size() == memory.size();
  });
  if (found == ranges_.end()) return result;
  for (const Piece& piece : found->pieces) {
    const std::span<std::byte> bytes(piece.at, piece.block.bytes);
    if (const auto done = store_.read(piece.block, bytes); !done) {
      result.bytes_lost += bytes.size();
      result.errors.push_back(name_error(*found, bytes, done.error()));
      // What a failed read left there means nothing; zeros are at least always the same.
      std::ranges::fill(bytes, std::byte{0});
      static_cast<void>(release(bytes));
    } else {
      result.bytes_moved += bytes.size();
    }
  }
  drop(*found);
  ranges_.erase(found);
  return result;
}

void ColdRanges::forget(std::span<const std::byte> memory) {
  std::erase_if(ranges_, [&](Range& range) {
    if (!overlap(range.memory, memory)) return false;
    drop(range);
    return true;
  });
}

void ColdRanges::drop(Range& range) {
  for (const Piece& piece : range.pieces) {
    store_.erase(piece.block);
    bytes_out_ -= piece.block.bytes;
  }
  range.pieces.clear();
}

Error ColdRanges::name_error(const Range& range, std::span<const std::byte> bytes,
                             const Error& why) const {
  const auto from = static_cast<std::uint64_t>(bytes.data() - range.memory.data());
  return Error{why.code,
               "bytes " + std::to_string(from) + " to " + std::to_string(from + bytes.size()) +
                   ": " + why.what,
               range.name, why.errno_value};
}

}  // namespace kvpsi
