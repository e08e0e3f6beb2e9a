// SPDX-License-Identifier: MIT
// Limits over all ancestors, v1 and v2, from fixtures; the group files' parsers.
#include "linux/group_memory.h"

#include <gtest/gtest.h>

#include "linux/group_files.h"
#include "support/fake_fs.h"

namespace kvpsi {
namespace {

using test::FakeFs;

TEST(GroupFiles, Limits) {
  EXPECT_EQ(**parse_limit("1048576\n"), 1048576u);
  EXPECT_EQ(**parse_limit("0\n"), 0u) << "a limit of nothing is a limit";
  EXPECT_FALSE(*parse_limit("max\n"));
  EXPECT_FALSE(*parse_limit("9223372036854771712\n")) << "v1's none";
  EXPECT_FALSE(*parse_limit("4611686018427387904\n"));
  EXPECT_TRUE(*parse_limit("4611686018427387903\n"));
  for (const char* bad : {"", "\n", "maximum\n", "-1\n", "1 2\n", "1\n2\n"}) {
    EXPECT_FALSE(parse_limit(bad)) << bad;
    EXPECT_FALSE(parse_counter(bad)) << bad;
  }
  EXPECT_EQ(parse_counter("7\n"), 7u);
}

TEST(GroupFiles, Stat) {
  const auto v2 =
      parse_group_stat("inactive_file 3\nactive_file 4\nworkingset_refault_file 5\n", false);
  ASSERT_TRUE(v2);
  EXPECT_EQ(v2->file_bytes, 7u);
  EXPECT_EQ(v2->refault_pages_total, 5u);
  const auto old = parse_group_stat("workingset_refault 9\n", false);
  EXPECT_EQ(old->refault_pages_total, 9u);
  EXPECT_FALSE(old->file_bytes);
  const auto v1 = parse_group_stat(
      "active_file 1\ninactive_file 1\ntotal_active_file 30\ntotal_inactive_file 12\n", true);
  EXPECT_EQ(v1->file_bytes, 42u);
  EXPECT_FALSE(v1->refault_pages_total);
  EXPECT_FALSE(parse_group_stat("active_file x\n", false));
}

TEST(GroupFiles, EventsAndOomControl) {
  const auto events = parse_group_events("low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\n");
  ASSERT_TRUE(events);
  EXPECT_EQ(events->limit_hits_total, 5u);
  EXPECT_EQ(events->oom_kills_total, 5u);
  EXPECT_FALSE(parse_group_events("low 1\n")->limit_hits_total);
  EXPECT_FALSE(parse_group_events("max -3\n"));
  EXPECT_EQ(**parse_oom_control("oom_kill_disable 0\nunder_oom 0\noom_kill 6\n"), 6u);
  EXPECT_FALSE(*parse_oom_control("oom_kill_disable 0\n"));
  EXPECT_FALSE(parse_oom_control("oom_kill many\n"));
}

GroupReading read(const FakeFs& fs, std::string* tightest = nullptr) {
  const auto location = find_cgroup(fs.roots());
  EXPECT_TRUE(location);
  const GroupMemory memory(*location);
  std::vector<char> buffer(16384);
  const GroupReading reading = memory.read(buffer);
  if (tightest != nullptr) *tightest = memory.tightest_dir();
  return reading;
}

TEST(GroupMemory, V2TakesTheTightestOfOwnAndAncestors) {
  std::string dir;
  const FakeFs fs = FakeFs::v2("/app/engine")
                        .with("sys/app/engine/memory.max", "1073741824\n")
                        .with("sys/app/memory.max", "536870912\n")
                        .with("sys/app/memory.current", "419430400\n");
  const GroupReading reading = read(fs, &dir);
  EXPECT_EQ(dir, fs.at("sys/app"));
  EXPECT_EQ(reading.limit_bytes, 512ULL << 20);
  EXPECT_EQ(reading.usage_bytes, 400ULL << 20);
  EXPECT_EQ(reading.file_bytes, 30ULL << 20);
  EXPECT_EQ(reading.refault_pages_total, 12u);
}

TEST(GroupMemory, TightestMeansHeadroomNotLimit) {
  // The larger limit is nearly used up by memory that cannot be reclaimed.
  const FakeFs fs = FakeFs::v2("/app/engine")
                        .with("sys/app/engine/memory.max", "268435456\n")
                        .with("sys/app/engine/memory.current", "10485760\n")
                        .with("sys/app/memory.max", "536870912\n")
                        .with("sys/app/memory.current", "536870912\n");
  EXPECT_EQ(read(fs).limit_bytes, 512ULL << 20);
}

TEST(GroupMemory, V2HighCountsAsLimit) {
  const FakeFs fs = FakeFs::v2("/app")
                        .with("sys/app/memory.max", "536870912\n")
                        .with("sys/app/memory.high", "268435456\n");
  EXPECT_EQ(read(fs).limit_bytes, 256ULL << 20);
}

TEST(GroupMemory, V2CountsLocalHitsAndAllKills) {
  const FakeFs fs = FakeFs::v2("/app/engine")
                        .with("sys/app/engine/memory.events.local", "high 1\nmax 2\n")
                        .with("sys/app/memory.events.local", "high 10\nmax 20\n")
                        .with("sys/app/memory.events", "high 99\nmax 99\noom_kill 4\n")
                        .with("sys/app/engine/memory.events", "high 9\nmax 9\noom_kill 1\n");
  const GroupReading reading = read(fs);
  EXPECT_EQ(reading.limit_hits_total, 33u);
  EXPECT_EQ(reading.oom_kills_total, 4u);
  fs.remove("sys/app/engine/memory.events.local");
  EXPECT_EQ(read(fs).limit_hits_total, 48u) << "kernels before 5.2 have memory.events only";
  fs.remove("sys/app/memory.events.local");
  EXPECT_EQ(read(fs).limit_hits_total, 18u)
      << "an ancestor's counts siblings in limits of their own";
}

TEST(GroupMemory, TheLeastSwapThatLimitsAllowIsTold) {
  EXPECT_FALSE(read(FakeFs::v2("/app")).swap_free_bytes);
  const FakeFs v2 = FakeFs::v2("/app/engine")
                        .with("sys/app/engine/memory.swap.max", "max\n")
                        .with("sys/app/engine/memory.swap.current", "4096\n")
                        .with("sys/app/memory.swap.max", "1048576\n")
                        .with("sys/app/memory.swap.current", "1000000\n");
  EXPECT_EQ(read(v2).swap_free_bytes, 48'576u);
  const FakeFs none = FakeFs::v2("/app")
                          .with("sys/app/memory.swap.max", "0\n")
                          .with("sys/app/memory.swap.current", "0\n");
  EXPECT_EQ(read(none).swap_free_bytes, 0u);
  // 256 MiB of memory and no more with swap; 100 MiB are in use, none of them swapped.
  const FakeFs v1 = FakeFs::v1("/app")
                        .with("sys/memory/app/memory.limit_in_bytes", "268435456\n")
                        .with("sys/memory/app/memory.memsw.limit_in_bytes", "268435456\n")
                        .with("sys/memory/app/memory.memsw.usage_in_bytes", "104857600\n");
  EXPECT_EQ(read(v1).swap_free_bytes, 0u);
}

TEST(GroupMemory, WithoutALimitThereIsNoHeadroom) {
  const GroupReading reading = read(FakeFs::v2("/app"));
  EXPECT_FALSE(reading.limit_bytes);
  EXPECT_FALSE(reading.usage_bytes);
  EXPECT_EQ(reading.limit_hits_total, 0u);
}

TEST(GroupMemory, V1ReadsLimitUsageFilesFailcntAndKills) {
  std::string dir;
  const FakeFs fs =
      FakeFs::v1("/docker/abc")
          .with("sys/memory/docker/abc/memory.limit_in_bytes", "268435456\n")
          .with("sys/memory/docker/abc/memory.failcnt", "17\n")
          .with("sys/memory/docker/memory.failcnt", "3\n")
          .with("sys/memory/docker/abc/memory.oom_control", "under_oom 0\noom_kill 2\n");
  const GroupReading reading = read(fs, &dir);
  EXPECT_EQ(dir, fs.at("sys/memory/docker/abc"));
  EXPECT_EQ(reading.limit_bytes, 256ULL << 20);
  EXPECT_EQ(reading.usage_bytes, 100ULL << 20);
  EXPECT_EQ(reading.file_bytes, 30ULL << 20);
  EXPECT_EQ(reading.refault_pages_total, 12u);
  EXPECT_EQ(reading.limit_hits_total, 20u);
  EXPECT_EQ(reading.oom_kills_total, 2u);
}

TEST(GroupMemory, HybridTakesLimitsFromV1) {
  const FakeFs fs = FakeFs::hybrid("/process_api/7", "/grp")
                        .with("sys/memory/process_api/7/memory.limit_in_bytes", "134217728\n")
                        .with("sys/unified/grp/memory.max", "1024\n");
  EXPECT_EQ(read(fs).limit_bytes, 128ULL << 20);
}

TEST(GroupMemory, MalformedAndMissingFilesLeaveTheirFieldsEmpty) {
  const FakeFs fs = FakeFs::v2("/app")
                        .with("sys/app/memory.max", "536870912\n")
                        .with("sys/app/memory.current", "much\n")
                        .with("sys/app/memory.events", "oom_kill ?\n")
                        .without("sys/app/memory.events.local")
                        .without("sys/app/memory.stat");
  const GroupReading reading = read(fs);
  EXPECT_EQ(reading.limit_bytes, 512ULL << 20);
  EXPECT_FALSE(reading.usage_bytes);
  EXPECT_FALSE(reading.file_bytes);
  EXPECT_FALSE(reading.limit_hits_total);
  EXPECT_FALSE(reading.oom_kills_total);
  EXPECT_FALSE(reading.is_lost);
}

TEST(GroupMemory, NoneReadsNothing) {
  const GroupReading reading = read(FakeFs::none());
  EXPECT_FALSE(reading.limit_bytes);
  EXPECT_FALSE(reading.limit_hits_total);
  EXPECT_FALSE(reading.is_lost);
}

}  // namespace
}  // namespace kvpsi
