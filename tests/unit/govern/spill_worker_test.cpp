// SPDX-License-Identifier: MIT
// The worker in front of a store that is slow, full, failing or paced: what goes in comes out, in
// order, nothing is lost in the slots, and buffers and erased space go back when it rests.
#include "govern/spill_worker.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <thread>
#include <vector>

#include "base/prng.h"
#include "support/memory_spill.h"

namespace kvpsi {
namespace {

using test::MemorySpill;

constexpr std::uint64_t kLongUs = 20'000'000;
constexpr std::uint64_t kBufferBytes = 64 * 1024;

std::unique_ptr<SpillWorker> start(SpillStore& store, std::uint64_t idle_us = 1'000) {
  auto worker = SpillWorker::start(store, {.buffer_bytes = kBufferBytes, .idle_us = idle_us});
  EXPECT_TRUE(worker) << describe(worker.error());
  return *std::move(worker);
}

void fill(std::span<std::byte> buffer, unsigned value) {
  std::ranges::fill(buffer, static_cast<std::byte>(value));
}

/// Writes one block of `bytes` filled with `value`.
Result<SpillBlock> write_one(SpillWorker& worker, unsigned value, std::uint64_t bytes) {
  const unsigned slot = worker.take_slot().value();
  fill(worker.buffer(slot), value);
  worker.write(slot, {.serial = value}, bytes);
  auto ended = worker.next_ended(kLongUs);
  worker.give_back(slot);
  return ended.value().result;
}

std::uint64_t resident_pages(std::span<std::byte> buffer) {
  std::vector<unsigned char> in(buffer.size() / SpillStore::kAlignment);
  EXPECT_EQ(::mincore(buffer.data(), buffer.size(), in.data()), 0);
  return static_cast<std::uint64_t>(std::ranges::count_if(in, [](auto c) { return (c & 1) != 0; }));
}

TEST(SpillWorker, BringsBackWhatItWrote) {
  MemorySpill store;
  const auto worker = start(store);
  const auto block = write_one(*worker, 7, 5'000);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->identity.serial, 7U);
  const unsigned slot = worker->take_slot().value();
  fill(worker->buffer(slot), 0);
  worker->read(slot, *block);
  const auto ended = worker->next_ended(kLongUs);
  ASSERT_TRUE(ended && ended->result);
  EXPECT_FALSE(ended->was_write);
  EXPECT_EQ(*ended->result, *block);
  for (std::size_t i = 0; i < 5'000; ++i) ASSERT_EQ(worker->buffer(slot)[i], std::byte{7});
  EXPECT_FALSE(worker->is_idle());
  worker->give_back(slot);
  EXPECT_TRUE(worker->is_idle());
}

TEST(SpillWorker, BuffersAreAlignedApartAndAsLargeAsAsked) {
  MemorySpill store;
  const auto worker = SpillWorker::start(store, {.buffer_bytes = 5'000});
  ASSERT_TRUE(worker);
  EXPECT_EQ((*worker)->buffer_bytes(), 8'192U);
  for (unsigned slot = 0; slot < SpillWorker::kSlots; ++slot) {
    const auto address = reinterpret_cast<std::uintptr_t>((*worker)->buffer(slot).data());
    EXPECT_EQ(address % SpillStore::kAlignment, 0U);
  }
  EXPECT_EQ((*worker)->buffer(0).data() + 8'192, (*worker)->buffer(1).data());
}

TEST(SpillWorker, RefusesBuffersNoBlockCanHave) {
  MemorySpill store;
  for (const std::uint64_t bytes : {std::uint64_t{0}, SpillStore::kMaxBlockBytes + 1}) {
    const auto worker = SpillWorker::start(store, {.buffer_bytes = bytes});
    ASSERT_FALSE(worker);
    EXPECT_EQ(worker.error().code, ErrorCode::invalid_argument);
  }
}

TEST(SpillWorker, ReservesMemoryButTouchesNone) {
  MemorySpill store;
  const auto worker = SpillWorker::start(store, {.buffer_bytes = kBufferBytes});
  EXPECT_EQ(resident_pages((*worker)->buffer(0)) + resident_pages((*worker)->buffer(1)), 0U);
}

TEST(SpillWorker, BuffersGoBackToTheKernelWhenItRests) {
  MemorySpill store;
  const auto worker = start(store);
  ASSERT_TRUE(write_one(*worker, 1, kBufferBytes));
  while (resident_pages(worker->buffer(0)) > 0) std::this_thread::yield();
  const unsigned slot = worker->take_slot().value();
  fill(worker->buffer(slot), 9);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(worker->buffer(slot)[kBufferBytes - 1], std::byte{9}) << "a taken buffer stays";
  EXPECT_EQ(resident_pages(worker->buffer(slot)), kBufferBytes / SpillStore::kAlignment);
}

TEST(SpillWorker, ErasedSpaceIsReturnedWhenItRests) {
  MemorySpill store;
  const auto worker = start(store);
  std::vector<SpillBlock> blocks;
  for (unsigned i = 0; i < 5; ++i) blocks.push_back(write_one(*worker, i, 100).value());
  for (const SpillBlock& block : blocks) worker->erase(block);
  while (store.pieces_to_return() > 0) std::this_thread::yield();
  EXPECT_EQ(store.use().held_bytes, 0U);
  EXPECT_EQ(store.bad_erases(), 0U);
}

TEST(SpillWorker, HasTwoSlotsAndSaysWhenNoneIsFree) {
  MemorySpill store;
  const auto worker = start(store);
  const auto first = worker->take_slot();
  const auto second = worker->take_slot();
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);
  EXPECT_FALSE(worker->take_slot());
  worker->give_back(*first);
  EXPECT_EQ(worker->take_slot(), first);
}

TEST(SpillWorker, NothingToWaitForIsNoWait) {
  MemorySpill store;
  const auto worker = start(store);
  EXPECT_FALSE(worker->next_ended(0));
  EXPECT_FALSE(worker->next_ended(kLongUs));  // the test would time out
  const auto slot = worker->take_slot();
  EXPECT_FALSE(worker->next_ended(kLongUs));
  worker->give_back(*slot);
}

TEST(SpillWorker, WaitsForASlowStoreAsLongAsItTakes) {
  MemorySpill store;
  store.turn({.slow_us = 50'000});
  const auto worker = start(store);
  for (const std::uint64_t wait_us :
       {std::uint64_t{1} << 54, ~std::uint64_t{0} / 4, ~std::uint64_t{0}}) {
    worker->write(worker->take_slot().value(), {}, 100);
    const auto ended = worker->next_ended(wait_us);
    ASSERT_TRUE(ended) << wait_us;
    worker->give_back(ended->slot);
  }
}

TEST(SpillWorker, TransfersEndInTheOrderTheyWereAskedFor) {
  MemorySpill store;
  store.turn({.slow_us = 2'000});
  const auto worker = start(store);
  const unsigned first = worker->take_slot().value();
  worker->write(first, {.serial = 1}, 10);
  const unsigned second = worker->take_slot().value();
  worker->write(second, {.serial = 2}, 10);
  EXPECT_EQ(worker->next_ended(kLongUs)->result->identity.serial, 1U);
  EXPECT_EQ(worker->next_ended(kLongUs)->result->identity.serial, 2U);
}

TEST(SpillWorker, FailuresComeBackAndTheSlotsWorkOn) {
  MemorySpill store;
  const auto worker = start(store);
  const SpillBlock good = write_one(*worker, 3, 1'000).value();
  store.turn({.fails_write = true});
  EXPECT_EQ(write_one(*worker, 4, 1'000).error().code, ErrorCode::io);
  store.turn({.budget_bytes = 1'500});
  EXPECT_EQ(write_one(*worker, 5, 1'000).error().code, ErrorCode::exhausted);
  for (const bool damages : {true, false}) {
    store.turn({.fails_read = !damages, .damages = damages});
    const unsigned slot = worker->take_slot().value();
    worker->read(slot, good);
    const auto ended = worker->next_ended(kLongUs);
    ASSERT_FALSE(ended->result);
    EXPECT_EQ(ended->result.error().code, damages ? ErrorCode::malformed : ErrorCode::io);
    worker->give_back(slot);
  }
  store.turn({});
  EXPECT_TRUE(write_one(*worker, 6, 1'000));
  EXPECT_TRUE(worker->is_idle());
}

TEST(SpillWorker, AReadPassesAWriteThatIsHeldBack) {
  MemorySpill store;
  const auto worker = start(store);
  const SpillBlock block = write_one(*worker, 1, 100).value();
  store.turn({.pause_us = 100'000'000});
  const unsigned writing = worker->take_slot().value();
  worker->write(writing, {.serial = 2}, 100);
  const unsigned reading = worker->take_slot().value();
  worker->read(reading, block);
  EXPECT_EQ(worker->next_ended(kLongUs)->slot, reading);
  EXPECT_EQ(worker->next_ended(kLongUs)->slot, writing) << "a pause is 1 s at most";
}

TEST(SpillWorker, EndsInTheMiddleOfASlowWriteAndKeepsNothing) {
  MemorySpill store;
  store.turn({.slow_us = 300'000});
  auto worker = start(store);
  for (unsigned i = 0; i < 2; ++i) worker->write(worker->take_slot().value(), {.serial = i}, 100);
  while (store.calls_begun() == 0) std::this_thread::yield();
  worker.reset();
  EXPECT_EQ(store.use().written_bytes_total, 100U) << "the one that ran ends, the other is dropped";
  EXPECT_EQ(store.use().held_bytes, 0U);
  EXPECT_EQ(store.bad_erases(), 0U);
}

TEST(SpillWorker, EndsWithWritesNobodyFetchedAndErasesThem) {
  MemorySpill store;
  auto worker = start(store);
  worker->write(worker->take_slot().value(), {}, 100);
  while (store.use().held_bytes == 0) std::this_thread::yield();
  worker.reset();
  EXPECT_EQ(store.use().held_bytes, 0U);
}

TEST(SpillWorker, EndsWhileHeldBack) {
  MemorySpill store;
  store.turn({.pause_us = 100'000'000});
  auto worker = start(store);
  worker->write(worker->take_slot().value(), {}, 100);
  worker.reset();
  EXPECT_EQ(store.use().written_bytes_total, 0U);
}

TEST(SpillWorker, ALongMixOfEverythingLosesNothing) {
  MemorySpill store;
  const auto worker = start(store, 50);
  Prng random(11);
  std::vector<SpillBlock> held;
  std::array<std::uint64_t, SpillWorker::kSlots> serial{};
  for (std::uint64_t step = 1; step <= 4'000; ++step) {
    if (const auto slot = worker->take_slot()) {
      serial[*slot] = step;
      if (!held.empty() && random.below(2) == 0) {
        std::swap(held[random.below(held.size())], held.back());
        worker->read(*slot, held.back());
      } else {
        fill(worker->buffer(*slot), static_cast<unsigned>(step & 0xff));
        worker->write(*slot, {.serial = step}, 1 + random.below(kBufferBytes));
      }
    }
    while (const auto ended = worker->next_ended(random.below(3) == 0 ? 500 : 0)) {
      ASSERT_TRUE(ended->result);
      if (ended->was_write) {
        ASSERT_EQ(ended->result->identity.serial, serial[ended->slot]);
        held.push_back(*ended->result);
      } else {
        const auto value = static_cast<std::byte>(ended->result->identity.serial & 0xff);
        ASSERT_EQ(worker->buffer(ended->slot)[ended->result->bytes - 1], value);
      }
      worker->give_back(ended->slot);
    }
    if (held.size() > 20) {
      worker->erase(held.front());
      held.erase(held.begin());
    }
  }
  EXPECT_EQ(store.bad_erases(), 0U);
}

}  // namespace
}  // namespace kvpsi
