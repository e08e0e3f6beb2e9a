// SPDX-License-Identifier: MIT
// The spill file on a real disk, with every system call made short, failing or refused in turn:
// either a block comes back bit for bit, or the store says that it does not.
#include "linux/spill_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "support/spill_fixture.h"

namespace kvpsi {
namespace {

using test::PageBuffer;
using test::SpillFileTest;
using Call = test::FaultyIo::Call;

TEST_F(SpillFileTest, BringsBackBlocksOfAnySize) {
  const auto file = open();
  for (const std::uint64_t bytes : {1UL, 4095UL, 4096UL, 4097UL, 100'000UL, 256 * kKiB}) {
    const auto block = write(*file, bytes);
    ASSERT_TRUE(block) << describe(block.error());
    EXPECT_EQ(block->offset % SpillStore::kAlignment, 0U);
    EXPECT_TRUE(comes_back(*file, *block).value()) << bytes;
  }
  EXPECT_EQ(file->use().written_bytes_total, file->use().read_bytes_total);
  EXPECT_EQ(file->use().held_bytes, file->use().written_bytes_total);
  EXPECT_TRUE(dir_.is_empty()) << "nothing has a name";
  struct stat status{};
  ASSERT_EQ(::fstat(file->fd(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(status.st_nlink, 0U);
  EXPECT_NE(::fcntl(file->fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(SpillFileTest, ZeroesThePaddingOnly) {
  const auto file = open();
  std::ranges::fill(payload_.span(), std::byte{1});
  ASSERT_TRUE(file->write({}, payload_.span(), 5'000));
  EXPECT_EQ(payload_.span()[4'999], std::byte{1});
  EXPECT_EQ(payload_.span()[5'000], std::byte{0});
  EXPECT_EQ(payload_.span()[8'191], std::byte{0});
  EXPECT_EQ(payload_.span()[8'192], std::byte{1});
}

TEST_F(SpillFileTest, RefusesBuffersItCannotUse) {
  const auto file = open();
  const auto whole = payload_.span();
  EXPECT_EQ(file->write({}, whole, 0).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(file->write({}, whole, whole.size() + 1).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(file->write({}, whole.subspan(8), 1).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(file->write({}, whole.first(100), 1).error().code, ErrorCode::invalid_argument);
  SpillBlock block = write(*file, 10'000).value();
  EXPECT_EQ(file->read(block, whole.first(8'192)).error().code, ErrorCode::invalid_argument);
  block.offset = 7;
  EXPECT_EQ(file->read(block, whole).error().code, ErrorCode::invalid_argument);
}

TEST_F(SpillFileTest, ABlockVerifiesOnlyAsWhatItWasWritten) {
  const auto file = open();
  const SpillBlock good = write(*file, 5'000).value();
  const SpillBlock other = write(*file, 5'000, 2).value();
  std::vector<SpillBlock> wrong(12, good);
  ++wrong[0].identity.context;
  ++wrong[1].identity.sequence;
  ++wrong[2].identity.first_position;
  ++wrong[3].identity.last_position;
  ++wrong[4].identity.first_layer;
  ++wrong[5].identity.last_layer;
  ++wrong[6].identity.serial;
  ++wrong[7].checksum;
  wrong[8].offset = other.offset;
  wrong[9].bytes = 4'999;
  wrong[10].bytes = 9'000;
  wrong[11].offset = 1 * kTiB;
  for (const SpillBlock& block : wrong) {
    const auto read = comes_back(*file, block);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::malformed);
  }
  EXPECT_EQ(file->use().lost_blocks_total, wrong.size());
  EXPECT_TRUE(comes_back(*file, other).value());
}

TEST_F(SpillFileTest, NoFlippedByteIsReadAsGood) {
  const auto file = open();
  const SpillBlock block = write(*file, 10'000).value();
  const std::string name = "/proc/self/fd/" + std::to_string(file->fd());
  const int damaging = ::open(name.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(damaging, 0);
  std::uint64_t flips = 0;
  for (std::uint64_t at = 0; at < 12'288; at += 1 + random_.below(97)) {
    char byte = 0;
    const auto offset = static_cast<off_t>(block.offset + at);
    ASSERT_EQ(::pread(damaging, &byte, 1, offset), 1);
    const char flipped = static_cast<char>(byte ^ (1 << random_.below(8)));
    ASSERT_EQ(::pwrite(damaging, &flipped, 1, offset), 1);
    const auto read = comes_back(*file, block);
    ASSERT_FALSE(read) << "byte " << at;
    EXPECT_EQ(read.error().code, ErrorCode::malformed);
    ASSERT_EQ(::pwrite(damaging, &byte, 1, offset), 1);
    ++flips;
  }
  ::close(damaging);
  EXPECT_EQ(file->use().lost_blocks_total, flips);
  EXPECT_TRUE(comes_back(*file, block).value());
}

TEST_F(SpillFileTest, AFileCutAnywhereIsMalformed) {
  for (const off_t cut : {0L, 1L, 4'095L, 4'096L, 10'000L, 12'287L}) {
    const auto file = open();
    const SpillBlock block = write(*file, 10'000).value();
    ASSERT_EQ(::ftruncate(file->fd(), static_cast<off_t>(block.offset) + cut), 0);
    EXPECT_EQ(comes_back(*file, block).error().code, ErrorCode::malformed) << cut;
    ASSERT_EQ(::ftruncate(file->fd(), 1'000'000), 0);
    const auto grown = comes_back(*file, block);
    // What was cut off reads as zeros now, which is what the padding was.
    EXPECT_EQ(grown.has_value(), cut >= 10'000) << cut;
    EXPECT_TRUE(grown ? *grown : grown.error().code == ErrorCode::malformed);
  }
}

TEST_F(SpillFileTest, GoesOnAfterShortCallsAndInterrupts) {
  for (const long most : {4'096L, 5'000L, 12'288L}) {
    const auto file = open();
    int calls = 0;
    io_.rule = [&](Call call, std::size_t bytes) -> std::optional<long> {
      if (call != Call::write && call != Call::read) return std::nullopt;
      if (++calls % 3 == 0) return -EINTR;
      return std::min(most, static_cast<long>(bytes));
    };
    const SpillBlock block = write(*file, 100'000).value();
    EXPECT_TRUE(comes_back(*file, block).value()) << most;
    EXPECT_GT(calls, 16);
    io_.rule = nullptr;
  }
}

TEST_F(SpillFileTest, FallsBackToThePageCacheAndLeavesNothingThere) {
  for (const long refusal : {static_cast<long>(-EINVAL), 512L}) {
    const auto file = open();
    if (!file->is_direct()) GTEST_SKIP() << "this file system has no direct transfer";
    int dropped = 0;
    int synced = 0;
    io_.rule = [&](Call call, std::size_t) -> std::optional<long> {
      dropped += call == Call::drop ? 1 : 0;
      synced += call == Call::sync ? 1 : 0;
      if (call == Call::write && file->is_direct()) return refusal;
      return std::nullopt;
    };
    const SpillBlock block = write(*file, 100'000).value();
    EXPECT_FALSE(file->is_direct());
    EXPECT_EQ(::fcntl(file->fd(), F_GETFL) & O_DIRECT, 0);
    EXPECT_TRUE(comes_back(*file, block).value());
    EXPECT_EQ(synced, 1);
    EXPECT_EQ(dropped, 2);
    io_.rule = nullptr;
  }
}

TEST_F(SpillFileTest, AFailedCallKeepsNothingAndTheNextBlockTakesThePlace) {
  for (const Call failing : {Call::write, Call::sync}) {
    for (const int reason : {EIO, ENOSPC, EDQUOT}) {
      const auto file = open();
      io_.rule = [&](Call call, std::size_t) -> std::optional<long> {
        return call == failing ? std::optional<long>(-reason) : std::nullopt;
      };
      const auto refused = write(*file, 50'000);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, reason == EIO ? ErrorCode::io : ErrorCode::exhausted);
      EXPECT_EQ(refused.error().errno_value, reason);
      EXPECT_EQ(file->use().held_bytes, 0U);
      EXPECT_EQ(file->use().write_errors_total, 1U);
      io_.rule = nullptr;
      const SpillBlock block = write(*file, 50'000).value();
      EXPECT_EQ(block.offset, 0U);
      EXPECT_TRUE(comes_back(*file, block).value());
    }
  }
}

TEST_F(SpillFileTest, EveryCallOfAWriteFailingInItsTurnIsAnErrorOrABlock) {
  for (int nth = 0; nth < 10; ++nth) {
    const auto file = open();
    int calls = 0;
    io_.rule = [&](Call, std::size_t bytes) -> std::optional<long> {
      if (calls++ == nth) return -EIO;
      return bytes > 8'192 && calls % 2 == 0 ? std::optional<long>(8'192) : std::nullopt;
    };
    const auto block = write(*file, 30'000);
    const auto read = block ? comes_back(*file, *block) : Result<bool>(true);
    EXPECT_EQ(file->use().held_bytes, block ? 30'000U : 0U);
    EXPECT_EQ(file->use().write_errors_total, block ? 0U : 1U);
    EXPECT_EQ(file->use().lost_blocks_total, read ? 0U : 1U);
    EXPECT_TRUE(!read || *read);
    io_.rule = nullptr;
  }
}

TEST_F(SpillFileTest, ADiskThatKeepsFailingIsGivenUpButStillRead) {
  const auto file = open();
  const SpillBlock block = write(*file, 5'000).value();
  const auto saved = std::vector<std::byte>(payload_.span().begin(), payload_.span().end());
  io_.rule = [](Call call, std::size_t) -> std::optional<long> {
    return call == Call::write ? std::optional<long>(-EIO) : std::nullopt;
  };
  EXPECT_GT(file->room_bytes(), 0U);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(write(*file, 5'000).error().code, ErrorCode::io);
  io_.rule = nullptr;
  EXPECT_EQ(file->room_bytes(), 0U);
  EXPECT_EQ(write(*file, 5'000).error().code, ErrorCode::io);
  std::ranges::copy(saved, payload_.span().begin());
  EXPECT_TRUE(comes_back(*file, block).value());
}

TEST_F(SpillFileTest, AFullDiskIsNotGivenUp) {
  const auto file = open();
  io_.rule = [](Call call, std::size_t) -> std::optional<long> {
    return call == Call::write ? std::optional<long>(-ENOSPC) : std::nullopt;
  };
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(write(*file, 5'000));
  io_.rule = nullptr;
  EXPECT_TRUE(write(*file, 5'000));
}

TEST_F(SpillFileTest, ReadErrorsCountAsLost) {
  const auto file = open();
  const SpillBlock block = write(*file, 5'000).value();
  io_.rule = [](Call call, std::size_t) -> std::optional<long> {
    return call == Call::read ? std::optional<long>(-EIO) : std::nullopt;
  };
  EXPECT_EQ(comes_back(*file, block).error().code, ErrorCode::io);
  EXPECT_EQ(file->use().lost_blocks_total, 1U);
}

TEST_F(SpillFileTest, ManyThreadsGetTheirOwnBlocksBack) {
  const auto file = open();
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Prng random(t);
      const PageBuffer mine(64 * kKiB);
      const PageBuffer back(64 * kKiB);
      for (std::uint64_t i = 0; i < 60; ++i) {
        mine.fill(random);
        const std::uint64_t bytes = 1 + random.below(64 * kKiB);
        const auto block = file->write({.sequence = t, .serial = i}, mine.span(), bytes);
        if (!block || !file->read(*block, back.span()) ||
            !std::ranges::equal(back.span().first(bytes), mine.span().first(bytes))) {
          ++wrong;
        }
        if (block && i % 3 != 0) file->erase(*block);
        if (i % 5 == 0) file->return_space();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(file->use().lost_blocks_total + file->use().write_errors_total, 0U);
}

}  // namespace
}  // namespace kvpsi
