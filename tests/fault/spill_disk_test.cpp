// SPDX-License-Identifier: MIT
// Spilling to real disks that fill up, die, are read-only or are memory in disguise, and a process
// that is killed while it spills: what was held is held, what failed is told, nothing is left.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "linux/own_memory.h"
#include "linux/spill_file.h"
#include "support/real_mount.h"
#include "support/spill_disk.h"

namespace kvpsi {
namespace {

using test::DiskDir;
using test::FaultyIo;
using test::PageBuffer;
using test::RealMount;

constexpr std::uint64_t kBlock = 1 * kMiB;

class SpillDisk : public testing::Test {
 protected:
  void SetUp() override {
    if (!dir_.exists()) GTEST_SKIP() << "no directory on a disk with room for spilling";
  }

  static SpillFileOptions options(const std::string& directory) {
    SpillFileOptions options;
    options.directory = directory;
    options.place.allow_flash = true;
    options.place.keep_free_bytes = 0;
    options.io_pressure.clear();
    return options;
  }
  Result<SpillBlock> write(SpillFile& file, std::uint64_t serial) {
    std::memset(buffer_.span().data(), static_cast<int>(serial & 0xff), kBlock);
    return file.write({.serial = serial}, buffer_.span(), kBlock);
  }
  bool comes_back(SpillFile& file, const SpillBlock& block) {
    std::memset(buffer_.span().data(), 0xff, kBlock);
    std::memset(expected_.span().data(), static_cast<int>(block.identity.serial & 0xff), kBlock);
    return file.read(block, buffer_.span()) &&
           std::memcmp(buffer_.span().data(), expected_.span().data(), kBlock) == 0;
  }
  static ErrorCode refusal(const std::string& directory) {
    const auto file = SpillFile::open(options(directory));
    if (file) return ErrorCode::cancelled;
    EXPECT_EQ(describe(file.error()).find('\n'), std::string::npos);
    return file.error().code;
  }
  /// Pages of the spill file in the page cache. The file is ours, so mincore tells the truth.
  static std::uint64_t cached_bytes(const SpillFile& file) {
    struct stat status{};
    EXPECT_EQ(::fstat(file.fd(), &status), 0);
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const map = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.fd(), 0);
    EXPECT_NE(map, MAP_FAILED);
    std::vector<unsigned char> in((size + 4'095) / 4'096);
    EXPECT_EQ(::mincore(map, size, in.data()), 0);
    ::munmap(map, size);
    return 4'096 * static_cast<std::uint64_t>(
                       std::ranges::count_if(in, [](unsigned char c) { return (c & 1) != 0; }));
  }

  DiskDir dir_;
  PageBuffer buffer_{kBlock};
  PageBuffer expected_{kBlock};
};

/// A disk that says there is room until the write itself fails, as when others fill it meanwhile.
TEST_F(SpillDisk, ADiskThatFillsUpKeepsWhatItHasAndTakesMoreAfterErasing) {
  RealMount mount(dir_.path());
  if (!mount.mount_ext4(160)) GTEST_SKIP() << mount.why();
  FaultyIo io;
  io.space = DiskSpace{.total_bytes = kTiB, .free_bytes = kTiB};
  const auto file = SpillFile::open(options(mount.path()), io);
  ASSERT_TRUE(file) << describe(file.error());
  std::vector<SpillBlock> blocks;
  while (blocks.size() < 200) {
    const auto block = write(**file, blocks.size());
    if (!block) {
      EXPECT_EQ(block.error().code, ErrorCode::exhausted);
      EXPECT_EQ(block.error().errno_value, ENOSPC);
      break;
    }
    blocks.push_back(*block);
  }
  ASSERT_GT(blocks.size(), 64U);
  ASSERT_LT(blocks.size(), 200U) << "the disk has to fill up";
  for (const SpillBlock& block : blocks) ASSERT_TRUE(comes_back(**file, block));
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(write(**file, 1));
  const std::size_t half = blocks.size() / 2;
  for (std::size_t i = 0; i < half; ++i) (*file)->erase(blocks[i]);
  while ((*file)->return_space()) {
  }
  for (std::size_t i = 0; i < half; ++i) {
    const auto block = write(**file, i + 7);
    ASSERT_TRUE(block) << describe(block.error());
    blocks[i] = *block;
  }
  for (const SpillBlock& block : blocks) ASSERT_TRUE(comes_back(**file, block));
}

TEST_F(SpillDisk, RoomFollowsTheRealDisk) {
  RealMount mount(dir_.path());
  if (!mount.mount_ext4(200)) GTEST_SKIP() << mount.why();
  SpillFileOptions keeping = options(mount.path());
  keeping.place.keep_free_bytes = 100 * kMiB;
  const auto file = SpillFile::open(keeping);
  ASSERT_TRUE(file) << describe(file.error());
  std::uint64_t held = 0;
  while (write(**file, held)) ASSERT_LT(++held, 200U);
  EXPECT_LT((*file)->room_bytes(), kBlock);
  struct statvfs volume{};
  ASSERT_EQ(::statvfs(mount.path().c_str(), &volume), 0);
  EXPECT_GE(volume.f_bavail * volume.f_frsize, 99 * kMiB);
  EXPECT_EQ((*file)->use().held_bytes, held * kBlock);
}

TEST_F(SpillDisk, ADiskThatDiesIsToldAndGivenUp) {
  RealMount mount(dir_.path());
  if (!mount.mount_ext4(160)) GTEST_SKIP() << mount.why();
  const auto file = SpillFile::open(options(mount.path()));
  ASSERT_TRUE(file) << describe(file.error());
  const auto block = write(**file, 1);
  ASSERT_TRUE(block && comes_back(**file, *block));
  // EXT4_IOC_SHUTDOWN without flushing: from here on every transfer fails as if it were unplugged.
  std::uint32_t flags = 2;
  const UniqueFd root(::open(mount.path().c_str(), O_RDONLY | O_CLOEXEC));
  if (::ioctl(root.get(), _IOR('X', 125, std::uint32_t), &flags) != 0) {
    GTEST_SKIP() << "this kernel cannot shut an ext4 down";
  }
  for (std::uint64_t i = 0; i < 4; ++i) EXPECT_EQ(write(**file, i).error().code, ErrorCode::io);
  EXPECT_EQ((*file)->room_bytes(), 0U);
  EXPECT_FALSE((*file)->return_space());
  (*file)->erase(*block);
  EXPECT_EQ((*file)->use().held_bytes, 0U);
}

TEST_F(SpillDisk, ReadOnlyMemoryAndOverlaysOfMemoryAreRefused) {
  RealMount disk(dir_.path());
  RealMount memory(dir_.path());
  RealMount overlay(dir_.path());
  if (!memory.mount("tmpfs", "tmpfs", "size=200m")) GTEST_SKIP() << memory.why();
  EXPECT_EQ(refusal(memory.path()), ErrorCode::unsupported);
  const std::string upper = memory.path() + "/upper";
  const std::string work = memory.path() + "/work";
  ASSERT_EQ(::mkdir(upper.c_str(), 0755) + ::mkdir(work.c_str(), 0755), 0);
  const std::string layers = "lowerdir=" + disk.path() + ",upperdir=" + upper + ",workdir=" + work;
  if (overlay.mount("overlay", "overlay", layers)) {
    EXPECT_EQ(refusal(overlay.path()), ErrorCode::unsupported);
  } else {
    std::printf("overlay left out: %s\n", overlay.why().c_str());
  }
  if (!disk.mount_ext4(160)) GTEST_SKIP() << disk.why();
  EXPECT_EQ(refusal(disk.path()), ErrorCode::cancelled) << "good until it is read-only";
  ASSERT_TRUE(disk.remount_read_only());
  EXPECT_EQ(refusal(disk.path()), ErrorCode::permission);
}

/// Spills until it is killed, one byte into `report` for each block.
[[noreturn]] void spill_for_ever(const SpillFileOptions& options, int report) {
  const PageBuffer buffer(kBlock);
  const auto file = SpillFile::open(options);
  if (!file) ::_exit(1);
  for (std::uint64_t serial = 0;; ++serial) {
    if (!(*file)->write({.serial = serial}, buffer.span(), kBlock)) ::_exit(2);
    if (::write(report, "b", 1) != 1) ::_exit(3);
  }
}

TEST_F(SpillDisk, AKilledProcessLeavesNothingBehind) {
  for (const bool has_name : {false, true}) {
    SpillFileOptions daily = options(dir_.path());
    daily.daily_bytes = has_name ? kTiB : 0;
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) spill_for_ever(daily, ends[1]);
    ::close(ends[1]);
    std::vector<char> blocks(has_name ? 7 : 20);
    for (char& block : blocks) ASSERT_EQ(::read(ends[0], &block, 1), 1);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ::close(ends[0]);
    EXPECT_TRUE(WIFSIGNALED(status));
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      names.push_back(entry.path().filename().string());
    }
    const std::vector<std::string> expected(has_name ? 1 : 0, kSpillDayFile);
    EXPECT_EQ(names, expected) << "only the count of the day outlives the process";
  }
  EXPECT_LE(SpillDay::open(dir_.path(), kTiB)->left_bytes(spill_day_now()), kTiB - 7 * kBlock);
}

TEST_F(SpillDisk, NeitherThePageCacheNorTheProcessGrowsByWhatIsSpilled) {
  for (const bool direct : {true, false}) {
    FaultyIo io;
    const auto file = SpillFile::open(options(dir_.path()), io);
    ASSERT_TRUE(file) << describe(file.error());
    if (direct && !(*file)->is_direct()) continue;  // this file system has no direct transfer
    io.rule = [&](FaultyIo::Call call, std::size_t) -> std::optional<long> {
      const bool refuses = call == FaultyIo::Call::write && !direct && (*file)->is_direct();
      return refuses ? std::optional<long>(-EINVAL) : std::nullopt;
    };
    ASSERT_TRUE(write(**file, 0) && comes_back(**file, write(**file, 0).value())) << "warm";
    const std::uint64_t before = read_own_memory()->anon_bytes;
    std::vector<SpillBlock> blocks;
    for (std::uint64_t i = 0; i < 64; ++i) blocks.push_back(write(**file, i).value());
    for (const SpillBlock& block : blocks) ASSERT_TRUE(comes_back(**file, block));
    const auto grown = static_cast<std::int64_t>(read_own_memory()->anon_bytes - before);
    const std::uint64_t cached = cached_bytes(**file);
    std::printf("%s: 64 MiB out and in, %.1f MiB of it cached, %.2f MiB more resident\n",
                (*file)->is_direct() ? "direct" : "buffered", to_mib(cached),
                static_cast<double>(grown) / static_cast<double>(kMiB));
    EXPECT_EQ((*file)->is_direct(), direct);
    EXPECT_LE(cached, kBlock);
    EXPECT_LE(grown, static_cast<std::int64_t>(2 * kMiB));
  }
}

}  // namespace
}  // namespace kvpsi
