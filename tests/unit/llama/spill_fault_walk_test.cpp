// SPDX-License-Identifier: MIT
// Random walks on a disk that fails now and then: see walk.h, and spill_fault_test.cpp for the
// faults one by one.
#include <gtest/gtest.h>

#include <atomic>

#include "support/spill_disk.h"
#include "walk.h"

namespace kvpsi {
namespace {

using namespace testing;
using test::FaultyIo;

/// Full, broken or short at any one write: nothing is missing that the ledger knows.
TEST(SpillFaultWalkTest, a_write_that_fails_leaves_everything_where_it_is) {
  KVPSI_LONG_WALK();
  const std::uint64_t most = env_or("KVPSI_SCHEDULES", 60);
  std::uint64_t failed = 0;
  for (std::uint64_t nth = 0; nth < most && !HasFailure(); ++nth) {
    std::atomic<std::uint64_t> writes = 0;
    FaultyIo io;
    io.rule = [&](FaultyIo::Call call, std::size_t) -> std::optional<long> {
      if (call != FaultyIo::Call::write || writes++ != nth % 20) return std::nullopt;
      static constexpr long kSay[] = {-ENOSPC, -EIO, 4096, 0};
      return kSay[nth % 4];
    };
    const auto store = open_spill_file(1 << 30, io);
    ASSERT_TRUE(store) << describe(store.error());
    Totals totals;
    Walk walk(nth % 2 == 0 ? kTinyUnified : kTinyStreams, **store, 3 * nth);
    for (int step = 0; step < 40 && !HasFailure(); ++step) walk.step(totals);
    if (!HasFailure()) walk.finish(totals);
    ASSERT_FALSE(HasFailure()) << "write " << nth << walk.story();
    failed += (*store)->use().write_errors_total;
  }
  EXPECT_GT(failed, most / 4);
}

/// Reads that fail at random: whatever is missing has been counted, and decoding goes on.
TEST(SpillFaultWalkTest, what_reads_do_not_give_back_is_counted) {
  KVPSI_LONG_WALK();
  const std::uint64_t schedules = env_or("KVPSI_SCHEDULES", 60);
  Totals totals;
  for (std::uint64_t i = 0; i < schedules && !HasFailure(); ++i) {
    Prng prng(i);
    FaultyIo io;
    io.rule = [&](FaultyIo::Call call, std::size_t) -> std::optional<long> {
      if (call != FaultyIo::Call::read || prng.below(10) > 0) return std::nullopt;
      return -EIO;
    };
    const auto store = open_spill_file(1 << 30, io);
    ASSERT_TRUE(store) << describe(store.error());
    Walk walk(i % 2 == 0 ? kTinyUnified : kTinyStreams, **store, i);
    walk.allow_losses();
    for (int step = 0; step < 50 && !HasFailure(); ++step) walk.step(totals);
    if (!HasFailure()) walk.finish(totals);
    ASSERT_FALSE(HasFailure()) << "seed " << i << walk.story();
  }
  EXPECT_GT(totals.reevaluated, schedules * 5);
  EXPECT_GE(totals.lost, totals.losses);
}

}  // namespace
}  // namespace kvpsi
