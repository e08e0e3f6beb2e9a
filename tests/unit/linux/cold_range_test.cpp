// SPDX-License-Identifier: MIT
// Cold ranges over a real spill file and over stores that fail: random ranges come back bit for
// bit, their pages are really gone meanwhile, and one bad block costs that block only.
#include "linux/cold_range.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "linux/pages.h"
#include "support/memory_spill.h"
#include "support/spill_disk.h"

namespace kvpsi {
namespace {

using test::MemorySpill;

constexpr std::uint64_t kBlockBytes = 64 * kKiB;

/// Private anonymous memory with a copy of what it holds.
class Arena {
 public:
  explicit Arena(std::uint64_t bytes) : copy_(bytes) {
    void* const at =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(at, MAP_FAILED);
    memory_ = {static_cast<std::byte*>(at), bytes};
  }
  ~Arena() { ::munmap(memory_.data(), memory_.size()); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void fill(Prng& random) {
    for (std::byte& byte : copy_) byte = static_cast<std::byte>(random.next());
    std::memcpy(memory_.data(), copy_.data(), copy_.size());
  }
  bool is_as_before(std::uint64_t from, std::uint64_t bytes) const {
    return std::memcmp(memory_.data() + from, copy_.data() + from, bytes) == 0;
  }
  bool is_as_before() const { return is_as_before(0, copy_.size()); }
  std::span<std::byte> part(std::uint64_t from, std::uint64_t bytes) const {
    return memory_.subspan(from, bytes);
  }
  std::uint64_t resident_bytes() const {
    std::vector<unsigned char> in(memory_.size() / page_bytes());
    EXPECT_EQ(::mincore(memory_.data(), memory_.size(), in.data()), 0);
    return page_bytes() * static_cast<std::uint64_t>(std::ranges::count_if(
                              in, [](unsigned char c) { return (c & 1) != 0; }));
  }

 private:
  std::vector<std::byte> copy_;
  std::span<std::byte> memory_;
};

TEST(ColdRanges, RandomRangesComeBackBitForBitFromARealFile) {
  const test::DiskDir dir;
  if (!dir.exists()) GTEST_SKIP() << "no directory on a disk with room for spilling";
  SpillFileOptions options;
  options.directory = dir.path();
  options.place.allow_flash = true;
  const auto file = SpillFile::open(options);
  ASSERT_TRUE(file) << describe(file.error());
  constexpr std::uint64_t kBytes = 1 * kMiB;
  Arena arena(kBytes);
  Prng random(17);
  arena.fill(random);
  ColdRanges cold(**file, 5, kBlockBytes);
  for (int round = 0; round < 60; ++round) {
    const std::uint64_t from = random.below(kBytes);
    const auto range = arena.part(from, 1 + random.below(kBytes - from));
    const ColdResult out = cold.page_out("range", range);
    ASSERT_TRUE(out.errors.empty()) << describe(out.errors[0]);
    ASSERT_EQ(cold.bytes_out(), out.bytes_moved);
    ASSERT_EQ((*file)->use().held_bytes, out.bytes_moved);
    ASSERT_EQ(arena.resident_bytes(), kBytes - out.bytes_moved) << "the pages are gone";
    const std::uint64_t edges = range.size() - out.bytes_moved;
    ASSERT_LT(edges, 2 * page_bytes());
    ASSERT_EQ(cold.bring_back(range).bytes_moved, out.bytes_moved);
    ASSERT_TRUE(arena.is_as_before());
    ASSERT_EQ(cold.bytes_out(), 0U);
    ASSERT_EQ((*file)->use().held_bytes, 0U);
  }
}

TEST(ColdRanges, ARangeWithoutAWholePageStays) {
  MemorySpill store;
  Arena arena(4 * page_bytes());
  Prng random(1);
  arena.fill(random);
  ColdRanges cold(store, 1, kBlockBytes);
  const auto small = arena.part(page_bytes() / 2, page_bytes());
  EXPECT_EQ(cold.page_out("small", small).bytes_moved, 0U);
  EXPECT_EQ(cold.bring_back(small).bytes_moved, 0U);
  EXPECT_TRUE(cold.page_out("none", {}).errors.empty());
  EXPECT_TRUE(arena.is_as_before());
}

TEST(ColdRanges, AFullStoreLeavesTheRestInMemory) {
  MemorySpill store;
  store.turn({.budget_bytes = 2 * kBlockBytes});
  Arena arena(5 * kBlockBytes);
  Prng random(2);
  arena.fill(random);
  ColdRanges cold(store, 1, kBlockBytes);
  const auto range = arena.part(0, 5 * kBlockBytes);
  const ColdResult out = cold.page_out("prompt 7", range);
  EXPECT_EQ(out.bytes_moved, 2 * kBlockBytes);
  ASSERT_EQ(out.errors.size(), 1U);
  EXPECT_EQ(out.errors[0].code, ErrorCode::exhausted);
  EXPECT_EQ(out.errors[0].path, "prompt 7");
  EXPECT_TRUE(out.errors[0].what.starts_with("bytes 131072 to 196608: ")) << out.errors[0].what;
  EXPECT_TRUE(arena.is_as_before(2 * kBlockBytes, 3 * kBlockBytes));
  EXPECT_EQ(arena.resident_bytes(), 3 * kBlockBytes);
  EXPECT_EQ(cold.bring_back(range).bytes_moved, 2 * kBlockBytes);
  EXPECT_TRUE(arena.is_as_before());
}

/// Damages the reads whose turn it is.
class OneBadRead final : public SpillStore {
 public:
  OneBadRead(SpillStore& store, int bad) : store_(store), bad_(bad) {}
  Result<SpillBlock> write(const SpillIdentity& identity, std::span<std::byte> buffer,
                           std::uint64_t bytes) override {
    return store_.write(identity, buffer, bytes);
  }
  Result<void> read(const SpillBlock& block, std::span<std::byte> buffer) override {
    const auto done = store_.read(block, buffer);
    if (reads_++ != bad_) return done;
    std::ranges::fill(buffer, std::byte{0xee});
    return fail(ErrorCode::malformed, "does not verify");
  }
  void erase(const SpillBlock& block) override { store_.erase(block); }
  std::uint64_t room_bytes() override { return store_.room_bytes(); }
  SpillUse use() const override { return store_.use(); }

 private:
  SpillStore& store_;
  int bad_;
  int reads_ = 0;
};

TEST(ColdRanges, OneLostBlockIsNamedAndTheOthersComeBack) {
  for (int bad = 0; bad < 4; ++bad) {
    MemorySpill memory;
    OneBadRead store(memory, bad);
    Arena arena(4 * kBlockBytes);
    Prng random(3);
    arena.fill(random);
    ColdRanges cold(store, 1, kBlockBytes);
    const auto range = arena.part(0, 4 * kBlockBytes);
    ASSERT_TRUE(cold.page_out("session", range).errors.empty());
    const ColdResult back = cold.bring_back(range);
    EXPECT_EQ(back.bytes_lost, kBlockBytes);
    EXPECT_EQ(back.bytes_moved, 3 * kBlockBytes);
    ASSERT_EQ(back.errors.size(), 1U);
    EXPECT_EQ(back.errors[0].path, "session");
    for (int block = 0; block < 4; ++block) {
      const std::uint64_t from = static_cast<std::uint64_t>(block) * kBlockBytes;
      const auto bytes = arena.part(from, kBlockBytes);
      if (block == bad) {
        EXPECT_TRUE(std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; }));
      } else {
        EXPECT_TRUE(arena.is_as_before(from, kBlockBytes));
      }
    }
    EXPECT_EQ(memory.use().held_bytes, 0U);
    EXPECT_EQ(memory.bad_erases(), 0U);
  }
}

TEST(ColdRanges, LockedMemoryKeepsItsBytes) {
  MemorySpill store;
  Arena arena(2 * kBlockBytes);
  Prng random(4);
  arena.fill(random);
  const auto range = arena.part(0, 2 * kBlockBytes);
  // Sanitizers let mlock succeed without locking, hence the second question.
  if (::mlock(range.data(), page_bytes()) != 0 || read_own_memory()->locked_bytes == 0) {
    GTEST_SKIP() << "no memory may be locked here";
  }
  ColdRanges cold(store, 1, kBlockBytes);
  const ColdResult out = cold.page_out("locked", range);
  EXPECT_EQ(out.bytes_moved + out.bytes_lost, 0U);
  EXPECT_EQ(out.errors.size(), 1U);
  EXPECT_TRUE(arena.is_as_before());
  EXPECT_EQ(store.use().held_bytes, 0U);
}

TEST(ColdRanges, WhatWasFreedIsForgottenAndWhatIsLeftAtTheEndErased) {
  MemorySpill store;
  Arena arena(6 * kBlockBytes);
  Prng random(5);
  arena.fill(random);
  {
    ColdRanges cold(store, 1, kBlockBytes);
    const auto first = arena.part(0, 2 * kBlockBytes);
    const auto second = arena.part(2 * kBlockBytes, 2 * kBlockBytes);
    const auto third = arena.part(4 * kBlockBytes, 2 * kBlockBytes);
    for (const auto& range : {first, second, third}) cold.page_out("r", range);
    cold.forget(arena.part(kBlockBytes, 1));
    EXPECT_EQ(cold.bytes_out(), 4 * kBlockBytes);
    EXPECT_EQ(cold.bring_back(first).bytes_moved, 0U) << "forgotten";
    EXPECT_EQ(cold.bring_back(second).bytes_moved, 2 * kBlockBytes);
    EXPECT_TRUE(arena.is_as_before(2 * kBlockBytes, 2 * kBlockBytes));
  }
  EXPECT_EQ(store.use().held_bytes, 0U);
  EXPECT_EQ(store.bad_erases(), 0U);
}

}  // namespace
}  // namespace kvpsi
