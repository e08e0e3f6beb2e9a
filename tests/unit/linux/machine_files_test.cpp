// SPDX-License-Identifier: MIT
// meminfo, vmstat, /proc/self/status and stat: good, missing, malformed, alone and in a sample.
#include "linux/machine_files.h"

#include <gtest/gtest.h>

#include <vector>

#include "linux/meminfo.h"
#include "linux/self_stat.h"
#include "linux/vmstat.h"
#include "support/fake_fs.h"

namespace kvpsi {
namespace {

using test::FakeFs;

TEST(Meminfo, GoodMissingMalformed) {
  const auto good = parse_meminfo("MemTotal: 10 kB\nMemAvailable: 4 kB\nSwapFree: 0 kB\n");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->total_bytes, 10240u);
  EXPECT_EQ(good->available_bytes, 4096u);
  EXPECT_EQ(good->swap_free_bytes, 0u);
  EXPECT_FALSE(good->swap_total_bytes);
  EXPECT_FALSE(parse_meminfo("MemTotal: 10 kB\n")->available_bytes) << "kernels before 3.14";
  for (const char* bad : {"", "MemFree: 1 kB\n", "MemTotal: x kB\n", "MemTotal: 10\n",
                          "MemTotal: 10 kB\nMemAvailable: -4 kB\n"}) {
    const auto parsed = parse_meminfo(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, ErrorCode::malformed);
  }
}

TEST(Vmstat, GoodMissingMalformed) {
  const auto good = parse_vmstat("pswpin 3\npgscan_kswapd 100\npgscan_direct 11\n");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->scan_pages_total, 111u);
  EXPECT_EQ(good->swapin_pages_total, 3u);
  const auto missing = parse_vmstat("pgscan_kswapd 100\n");
  ASSERT_TRUE(missing);
  EXPECT_FALSE(missing->scan_pages_total) << "half a sum would jump when the rest appears";
  EXPECT_FALSE(missing->swapin_pages_total);
  EXPECT_EQ(parse_vmstat("pswpin many\n").error().code, ErrorCode::malformed);
}

TEST(SelfStatus, GoodMissingMalformed) {
  const auto good = parse_self_status(
      "RssAnon:\t 8 kB\nRssFile:\t 4 kB\nVmLck:\t 0 kB\nCapEff:\t0000000001000000\n");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->rss_anon_bytes, 8192u);
  EXPECT_EQ(good->rss_file_bytes, 4096u);
  EXPECT_EQ(good->capabilities, 1ULL << 24);
  EXPECT_FALSE(good->swap_bytes) << "a kernel without swap prints no VmSwap";
  for (const char* bad : {"", "Name:\tcat\n", "RssAnon:\t 8\n", "CapEff:\txyz\n", "CapEff:\n"}) {
    const auto parsed = parse_self_status(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, ErrorCode::malformed);
  }
}

TEST(SelfStat, ReadsField12BehindAnyName) {
  EXPECT_EQ(parse_major_faults("1 (a) b) (c) S 1 1 1 0 -1 4 99 5 17 6 0\n"), 17u);
  for (const char* bad :
       {"", "1 cat S 1 1 1 0 -1 4 99 5 17", "1 (cat) S 1 1", "1 (cat) S 1 1 1 0 -1 4 99 5 x"}) {
    EXPECT_FALSE(parse_major_faults(bad)) << bad;
  }
}

Sample read_sample(const FakeFs& fs) {
  const MachineFiles files({.meminfo = fs.at("proc/meminfo"),
                            .vmstat = fs.at("proc/vmstat"),
                            .self_status = fs.at("proc/self/status"),
                            .self_stat = fs.at("proc/self/stat")});
  std::vector<char> buffer(16384);
  Sample sample;
  files.read(buffer, sample);
  return sample;
}

TEST(MachineFiles, FillsTheSample) {
  const Sample sample = read_sample(FakeFs::none());
  EXPECT_EQ(sample.mem_total_bytes, 8ULL << 30);
  EXPECT_EQ(sample.mem_available_bytes, 4ULL << 30);
  EXPECT_EQ(sample.swap_free_bytes, 0u);
  EXPECT_EQ(sample.system_scan_pages_total, 111u);
  EXPECT_EQ(sample.system_swapin_pages_total, 3u);
  EXPECT_EQ(sample.own_anon_bytes, 100ULL << 20);
  EXPECT_EQ(sample.own_file_bytes, 20ULL << 20);
  EXPECT_EQ(sample.own_swap_bytes, 512u * 1024);
  EXPECT_EQ(sample.own_major_faults_total, 17u);
}

TEST(MachineFiles, LeavesEmptyWhatIsMissingOrMalformed) {
  const Sample sample = read_sample(FakeFs::none()
                                        .without("proc/vmstat")
                                        .with("proc/meminfo", "MemTotal: lots\n")
                                        .with("proc/self/stat", "")
                                        .with("proc/self/status", "garbage\n"));
  EXPECT_FALSE(sample.mem_total_bytes);
  EXPECT_FALSE(sample.mem_available_bytes);
  EXPECT_FALSE(sample.system_scan_pages_total);
  EXPECT_EQ(sample.own_anon_bytes, 0u);
  EXPECT_EQ(sample.own_major_faults_total, 0u);
}

TEST(MachineFiles, AFileLargerThanTheBufferCountsAsUnreadable) {
  const FakeFs fs = FakeFs::none();
  const KernelFile file(fs.at("proc/meminfo"));
  std::vector<char> buffer(16);
  EXPECT_EQ(file.read(buffer).errno_value, EFBIG);
}

}  // namespace
}  // namespace kvpsi
