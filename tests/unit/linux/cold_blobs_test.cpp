// SPDX-License-Identifier: MIT
// Cold blobs over a store in memory: they go out when they are due or in a hurry, come back bit for
// bit while the thread writes others, and what is lost is never handed out as whole.
#include "linux/cold_blobs.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"
#include "linux/pages.h"
#include "support/memory_spill.h"

namespace kvpsi {
namespace {

using test::MemorySpill;

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

bool wait_until(const std::function<bool()>& holds) {
  for (int i = 0; i < 2'000 && !holds(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return holds();
}

/// A vector as a prompt cache has them, odd in size and place, with a copy of what it holds.
class Blob {
 public:
  Blob(std::uint64_t bytes, std::uint64_t seed) : bytes_(bytes) {
    Prng random(seed);
    for (std::byte& byte : bytes_) byte = static_cast<std::byte>(random.next());
    copy_ = bytes_;
  }
  std::span<std::byte> span() { return bytes_; }
  bool is_as_before() const { return bytes_ == copy_; }

 private:
  std::vector<std::byte> bytes_;
  std::vector<std::byte> copy_;
};

TEST(ColdBlobs, GoesOutWhenDueAndComesBackBitForBit) {
  MemorySpill store;
  ColdBlobs blobs(store, 1, 20'000);
  Blob blob(7 * kMiB + 123, 1);
  blobs.keep(blob.span());
  EXPECT_EQ(blobs.use().bytes, 7 * kMiB + 123);
  ASSERT_TRUE(wait_until([&] { return blobs.use().bytes_to_go == 0; }));
  EXPECT_GE(blobs.use().bytes_out, 7 * kMiB - 4096);
  EXPECT_TRUE(blobs.bring_back(blob.span()));
  EXPECT_TRUE(blob.is_as_before());
  EXPECT_EQ(blobs.use().bytes_out, 0u);
  EXPECT_EQ(store.use().held_bytes, 0u);
  blobs.forget(blob.span());
  EXPECT_EQ(blobs.use().bytes, 0u);
}

TEST(ColdBlobs, StaysInUntilThereIsAHurry) {
  MemorySpill store;
  ColdBlobs blobs(store, 1, kNever);
  Blob blob(4 * kMiB, 2);
  blobs.keep(blob.span());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(blobs.use().bytes_out, 0u);
  blobs.hurry();
  ASSERT_TRUE(wait_until([&] { return !blobs.is_hurrying(); }));
  EXPECT_GE(blobs.use().bytes_out, 4 * kMiB - 8192);
  blobs.forget(blob.span());
  EXPECT_EQ(store.use().held_bytes, 0u) << "a freed blob leaves nothing on disk";
}

TEST(ColdBlobs, AHurryCanBeWaitedFor) {
  MemorySpill store;
  ColdBlobs blobs(store, 1, kNever);
  Blob blob(16 * kMiB, 2);
  blobs.keep(blob.span());
  blobs.wait_out(60'000'000);  // there is none: at once
  EXPECT_GT(blobs.use().bytes_to_go, 0u);
  blobs.hurry();
  blobs.wait_out(60'000'000);
  EXPECT_EQ(blobs.use().bytes_to_go, 0u);
  blobs.pause();
  Blob other(4 * kMiB, 3);
  blobs.keep(other.span());
  blobs.hurry();
  blobs.wait_out(1'000);  // nothing goes out meanwhile, and yet it returns
  EXPECT_TRUE(blobs.is_hurrying());
}

TEST(ColdBlobs, AnyPartOfItsMemoryNamesIt) {
  MemorySpill store;
  ColdBlobs blobs(store, 1, 0);
  Blob blob(8 * kMiB, 3);
  blobs.keep(blob.span());
  ASSERT_TRUE(wait_until([&] { return blobs.use().bytes_to_go == 0; }));
  EXPECT_TRUE(blobs.bring_back(blob.span().subspan(5 * kMiB, 1)));
  EXPECT_TRUE(blob.is_as_before());
}

TEST(ColdBlobs, ReadsDoNotWaitForOtherBlobs) {
  MemorySpill store;
  ColdBlobs blobs(store, 1, 0);
  std::vector<std::unique_ptr<Blob>> all;
  for (std::uint64_t i = 0; i < 12; ++i) {
    all.push_back(std::make_unique<Blob>(3 * kMiB + i * 777, i));
    blobs.keep(all.back()->span());
    if (i % 3 == 2) {
      EXPECT_TRUE(blobs.bring_back(all[i - 1]->span()));
      EXPECT_TRUE(all[i - 1]->is_as_before());
    }
  }
  for (const auto& blob : all) {
    EXPECT_TRUE(blobs.bring_back(blob->span()));
    EXPECT_TRUE(blob->is_as_before());
    blobs.forget(blob->span());
  }
  EXPECT_EQ(store.use().held_bytes, 0u);
  EXPECT_EQ(blobs.use().lost_total, 0u);
}

TEST(ColdBlobs, AFullDiskLeavesThemInMemory) {
  MemorySpill store;
  store.turn({.budget_bytes = 4 * kMiB});
  ColdBlobs blobs(store, 1, 0);
  Blob blob(9 * kMiB, 4);
  blobs.keep(blob.span());
  blobs.hurry();
  ASSERT_TRUE(wait_until([&] { return !blobs.is_hurrying(); }));
  EXPECT_GT(blobs.use().bytes_to_go, 0u);
  EXPECT_TRUE(blobs.bring_back(blob.span()));
  EXPECT_TRUE(blob.is_as_before());
}

TEST(ColdBlobs, NothingGoesOutWhilePaused) {
  MemorySpill store;
  ColdBlobs blobs(store, 1, 0);
  blobs.pause();
  auto blob = std::make_unique<Blob>(4 * kMiB, 7);
  blobs.keep(blob->span());
  blobs.hurry();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(blobs.use().written_total, 0u);
  const std::span<std::byte> memory = blob->span();
  blob.reset();
  blobs.forget(memory);
  blobs.resume();
  EXPECT_EQ(blobs.use().bytes, 0u);
}

TEST(ColdBlobs, WhatIsLostIsSaidToBeEachTime) {
  MemorySpill store;
  ColdBlobs blobs(store, 1, 0);
  Blob blob(5 * kMiB, 5);
  Blob other(5 * kMiB, 6);
  blobs.keep(blob.span());
  blobs.keep(other.span());
  ASSERT_TRUE(wait_until([&] { return blobs.use().bytes_to_go == 0; }));
  store.turn({.damages = true});
  EXPECT_FALSE(blobs.bring_back(blob.span()));
  store.turn({});
  EXPECT_FALSE(blobs.bring_back(blob.span())) << "its bytes are still not what they were";
  EXPECT_TRUE(blobs.bring_back(other.span()));
  EXPECT_TRUE(other.is_as_before());
  EXPECT_GT(blobs.use().lost_total, 0u);
  blobs.forget(blob.span());
  blobs.keep(blob.span());
  EXPECT_TRUE(blobs.bring_back(blob.span())) << "filled anew it is another blob";
}

}  // namespace
}  // namespace kvpsi
