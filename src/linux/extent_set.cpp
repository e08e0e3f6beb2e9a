// SPDX-License-Identifier: MIT
// The set operations of extent_set.h over one sorted vector.
#include "linux/extent_set.h"

#include <algorithm>

#include "base/assert.h"

namespace kvpsi {
namespace {

auto at(std::vector<Extent>& extents, std::size_t i) {
  return extents.begin() + static_cast<std::ptrdiff_t>(i);
}

}  // namespace

std::size_t ExtentSet::first_ending_after(std::uint64_t offset) const {
  const auto found = std::ranges::upper_bound(extents_, offset, {}, &Extent::end);
  return static_cast<std::size_t>(found - extents_.begin());
}

void ExtentSet::insert(const Extent& extent) {
  if (extent.bytes == 0) return;
  KVPSI_ASSERT(!overlaps(extent));
  const std::size_t next = first_ending_after(extent.offset);
  const bool joins_next = next < extents_.size() && extents_[next].offset == extent.end();
  const bool joins_last = next > 0 && extents_[next - 1].end() == extent.offset;
  bytes_ += extent.bytes;
  if (joins_last && joins_next) {
    extents_[next - 1].bytes += extent.bytes + extents_[next].bytes;
    extents_.erase(at(extents_, next));
  } else if (joins_last) {
    extents_[next - 1].bytes += extent.bytes;
  } else if (joins_next) {
    extents_[next].offset = extent.offset;
    extents_[next].bytes += extent.bytes;
  } else {
    extents_.insert(at(extents_, next), extent);
  }
}

void ExtentSet::remove(const Extent& extent) {
  if (extent.bytes == 0) return;
  std::size_t i = first_ending_after(extent.offset);
  while (i < extents_.size() && extents_[i].offset < extent.end()) {
    const Extent whole = extents_[i];
    const Extent low{whole.offset, std::max(whole.offset, extent.offset) - whole.offset};
    const std::uint64_t high_at = std::min(whole.end(), extent.end());
    const Extent high{high_at, whole.end() - high_at};
    bytes_ -= whole.bytes - low.bytes - high.bytes;
    if (low.bytes > 0 && high.bytes > 0) {
      extents_[i] = low;
      extents_.insert(at(extents_, i + 1), high);
      return;
    }
    if (low.bytes == 0 && high.bytes == 0) {
      extents_.erase(at(extents_, i));
    } else {
      extents_[i++] = low.bytes > 0 ? low : high;
    }
  }
}

std::optional<std::uint64_t> ExtentSet::first_fit(std::uint64_t bytes) const {
  const auto fits = [bytes](const Extent& extent) { return extent.bytes >= bytes; };
  const auto found = std::ranges::find_if(extents_, fits);
  if (found == extents_.end()) return std::nullopt;
  return found->offset;
}

bool ExtentSet::contains(const Extent& extent) const {
  const std::size_t i = first_ending_after(extent.offset);
  return i < extents_.size() && extents_[i].offset <= extent.offset &&
         extents_[i].end() >= extent.end();
}

bool ExtentSet::overlaps(const Extent& extent) const {
  const std::size_t i = first_ending_after(extent.offset);
  return i < extents_.size() && extents_[i].offset < extent.end();
}

}  // namespace kvpsi
