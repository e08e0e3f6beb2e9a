// SPDX-License-Identifier: MIT
// See release_slices.h.
#include "llama/release_slices.h"

#include <algorithm>
#include <bit>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fixed_vector.h"
#include "linux/pages.h"

namespace kvpsi {

namespace {

constexpr std::uint64_t kSliceBytes = 32 * kMiB;
constexpr std::uint64_t kCheckBytes = 1 * kMiB;
using Slice = FixedVector<PageRange, 256>;

std::span<const PageRange> span_of(const Slice& slice) { return {slice.begin(), slice.size()}; }

/// The next slice from `at` on; moves `at` to where the one after it begins, 0 at the end.
Slice next_slice(std::span<const PageRange> ranges, std::size_t& index, std::uintptr_t& at) {
  Slice slice;
  std::uint64_t room = kSliceBytes;
  while (index < ranges.size() && room > 0 && !slice.full()) {
    const PageRange& range = ranges[index];
    const std::uintptr_t begin = std::max(range.begin, at);
    if (begin >= range.end) {
      ++index;
      continue;
    }
    const std::uintptr_t end = begin + std::min<std::uint64_t>(range.end - begin, room);
    slice.push_back({begin, end});
    room -= end - begin;
    at = end;
  }
  while (index < ranges.size() && ranges[index].end <= at) ++index;
  if (index == ranges.size()) at = 0;
  return slice;
}

}  // namespace

SliceRelease release_in_slices(std::span<const PageRange> ranges, std::uintptr_t from,
                               std::uint64_t budget_us) {
  SliceRelease out;
  const std::uint64_t start = monotonic_us();
  std::size_t index = 0;
  std::uintptr_t at = from;
  do {
    const Slice slice = next_slice(ranges, index, at);
    if (slice.empty()) break;
    const auto before = resident_exclusive_bytes(span_of(slice));
    const auto released = release_pages(span_of(slice), 0);
    const auto after = resident_exclusive_bytes(span_of(slice));
    if (before && after && *before > *after) out.bytes_released += *before - *after;
    if (released && out.first_errno == 0) out.first_errno = released->first_errno;
    if (!released && out.first_errno == 0) out.first_errno = released.error().errno_value;
    out.took_us = monotonic_us() - start;
  } while (at != 0 && (budget_us == 0 || out.took_us < budget_us));
  out.resume_at = at;
  return out;
}

SelfCheck check_release(std::span<const PageRange> free_pages) {
  Slice slice;
  std::uint64_t room = kCheckBytes;
  for (std::size_t i = free_pages.size(); i > 0 && room > 0 && !slice.full(); --i) {
    const PageRange& range = free_pages[i - 1];
    const std::uint64_t bytes = std::min(range.bytes(), room);
    slice.push_back({range.end - bytes, range.end});
    room -= bytes;
  }
  if (slice.empty()) return {false, 0, "no whole page of free cells to try with"};
  for (const PageRange& range : slice) {
    for (std::uintptr_t page = range.begin; page < range.end; page += page_bytes()) {
      *std::bit_cast<volatile std::uint8_t*>(page) = 0;
    }
  }
  const std::uint64_t written = kCheckBytes - room;
  const auto before = resident_exclusive_bytes(span_of(slice));
  const auto released = release_pages(span_of(slice), 0);
  const auto after = resident_exclusive_bytes(span_of(slice));
  if (!released) return {false, 0, describe(released.error())};
  if (!before || !after) {
    return {false, 0, "cannot measure: " + describe(before ? after.error() : before.error())};
  }
  const std::uint64_t returned = *before > *after ? *before - *after : 0;
  if (released->first_errno != 0) {
    return {false, returned,
            "the kernel refuses to take KV pages back" +
                std::string(released->first_errno == EINVAL ? " (locked memory)" : "")};
  }
  const bool ok = returned >= written;
  return {ok, returned,
          format_bytes(returned) + " of " + format_bytes(written) + " KV pages came back"};
}

}  // namespace kvpsi
