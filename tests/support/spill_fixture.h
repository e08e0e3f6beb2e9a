// SPDX-License-Identifier: MIT
// The fixture of the tests of SpillFile: a store in a fresh directory on a disk, over system calls
// with a say, and two buffers to compare. Skips where the machine has no disk for it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/bytes.h"
#include "support/spill_disk.h"

namespace kvpsi::test {

class SpillFileTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!dir_.exists()) GTEST_SKIP() << "no directory on a disk with room for spilling";
  }

  SpillFileOptions options() const {
    SpillFileOptions options;
    options.directory = dir_.path();
    options.place.allow_flash = true;
    options.io_pressure.clear();
    return options;
  }
  std::unique_ptr<SpillFile> open(const SpillFileOptions& options) {
    auto file = SpillFile::open(options, io_);
    EXPECT_TRUE(file) << describe(file.error());
    return *std::move(file);
  }
  std::unique_ptr<SpillFile> open() { return open(options()); }

  Result<SpillBlock> write(SpillFile& file, std::uint64_t bytes, std::uint64_t serial = 1) {
    payload_.fill(random_);
    return file.write({.context = 9, .serial = serial}, payload_.span(), bytes);
  }
  /// True where the block reads back as payload_ has it.
  Result<bool> comes_back(SpillFile& file, const SpillBlock& block) {
    std::memset(back_.span().data(), 0xa5, back_.span().size());
    if (auto done = file.read(block, back_.span()); !done) return std::unexpected(done.error());
    return std::ranges::equal(back_.span().first(block.bytes), payload_.span().first(block.bytes));
  }

  DiskDir dir_;
  FaultyIo io_;
  Prng random_{3};
  PageBuffer payload_{256 * kKiB};
  PageBuffer back_{256 * kKiB};
};

}  // namespace kvpsi::test
