// SPDX-License-Identifier: MIT
// ExtentSet: disjoint ranges of a file, in order, neighbours joined. Pure arithmetic; knows neither
// the file nor who owns what. Next hop: spill_file.h keeps free and erased space in two of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace kvpsi {

/// A range of a file, [offset, offset + bytes).
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;

  std::uint64_t end() const { return offset + bytes; }
  bool operator==(const Extent&) const = default;
};

/// Not thread-safe. Room for `kReserved` extents is there from the start, so that keeping books
/// while memory is short needs none.
class ExtentSet {
 public:
  static constexpr std::size_t kReserved = 512;

  ExtentSet() { extents_.reserve(kReserved); }

  /// Adds an extent; no part of it is in the set yet.
  void insert(const Extent& extent);

  /// Takes out whatever part of the extent is in the set.
  void remove(const Extent& extent);

  /// The lowest offset from which `bytes` in a row are in the set.
  std::optional<std::uint64_t> first_fit(std::uint64_t bytes) const;

  bool contains(const Extent& extent) const;
  bool overlaps(const Extent& extent) const;
  std::uint64_t bytes() const { return bytes_; }
  bool empty() const { return extents_.empty(); }
  std::span<const Extent> extents() const { return extents_; }

 private:
  std::size_t first_ending_after(std::uint64_t offset) const;

  std::vector<Extent> extents_;
  std::uint64_t bytes_ = 0;
};

}  // namespace kvpsi
