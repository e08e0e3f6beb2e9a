// SPDX-License-Identifier: MIT
// What only a kernel can prove: trigger windows, a trigger that fires under real stall, a removed
// group, a limit that is hit. Each case says why where it has to be skipped.
#include <gtest/gtest.h>
#include <poll.h>

#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "linux/kernel_source.h"
#include "linux/process.h"
#include "support/real_cgroup.h"

namespace kvpsi {
namespace {

using test::Child;
using test::ColdFile;
using test::RealGroup;

constexpr const char* kSystemPsi = "/proc/pressure/memory";

TEST(RealTrigger, PrivilegeDecidesTheWindow) {
  if (!PsiFile::open(kSystemPsi)) GTEST_SKIP() << "this kernel offers no PSI";
  const ArmedTriggers armed = arm_psi_triggers(kSystemPsi);
  if (!armed.is_armed()) GTEST_SKIP() << "no trigger may be set here: " << armed.reason;
  EXPECT_TRUE(armed.full.is_open());
  EXPECT_EQ(armed.privileged, has_cap_sys_resource().value_or(false));
  EXPECT_EQ(armed.granted.ends_with(armed.privileged ? "in 1 s" : "in 2 s"), true);
  pollfd polled{.fd = armed.some.get(), .events = POLLPRI, .revents = 0};
  ::poll(&polled, 1, 0);
  EXPECT_EQ(polled.revents & POLLERR, 0);
}

TEST(RealTrigger, ReportsEachRefusal) {
  if (!PsiFile::open(kSystemPsi)) GTEST_SKIP() << "this kernel offers no PSI";
  const auto garbage = open_psi_trigger(kSystemPsi, "lots 1 2");
  ASSERT_FALSE(garbage);
  EXPECT_EQ(garbage.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(open_psi_trigger("/nonexistent", "some 1 2").error().code, ErrorCode::not_found);
  const ArmedTriggers absent = arm_psi_triggers("/nonexistent");
  EXPECT_FALSE(absent.is_armed());
  EXPECT_NE(absent.reason.find("No such file"), std::string::npos) << absent.reason;
}

TEST(RealTrigger, ASecondTriggerOnOneDescriptorIsBusy) {
  auto fd = open_psi_trigger(kSystemPsi, "some 100000 2000000");
  if (!fd) GTEST_SKIP() << "no trigger may be set here: " << describe(fd.error());
  constexpr char kAgain[] = "some 200000 2000000";
  EXPECT_EQ(::write(fd->get(), kAgain, sizeof kAgain), -1);
  EXPECT_EQ(errno, EBUSY) << "hence one descriptor a trigger";
}

/// Our own group's directories, or a skip reason.
CgroupLocation here() { return find_cgroup({}).value_or(CgroupLocation{}); }

TEST(RealGroup, ARemovedGroupIsFoundAgainOnce) {
  const CgroupLocation home = here();
  RealGroup group(home.v2_dir, "kvpsi-test");
  if (!group.is_made())
    GTEST_SKIP() << "no cgroup v2 group may be made below '" << home.v2_dir << "'";
  if (!group.add_self()) GTEST_SKIP() << "processes may not move into " << group.dir();
  const auto source = KernelSource::open({});
  const bool is_back = test::write_once(home.v2_dir + "/cgroup.procs", "0");
  ASSERT_TRUE(source) << describe(source.error());
  ASSERT_TRUE(is_back);
  EXPECT_EQ((*source)->facts().own.path, group.dir() + "/memory.pressure");
  EXPECT_TRUE((*source)->sample().psi_own);
  const bool has_trigger = !(*source)->facts().own.granted.empty();
  ASSERT_TRUE(group.remove());
  const auto is_home = [&] { return (*source)->facts().location.v2_dir == home.v2_dir; };
  // Other wake-ups may come first: the machine's own pressure triggers are armed as well.
  const std::uint64_t start_us = monotonic_us();
  while (has_trigger && !is_home() && monotonic_us() - start_us < 5'000'000) {
    (*source)->wait(5'000'000);
  }
  EXPECT_TRUE(!has_trigger || is_home()) << "POLLERR must wake and the own group be found";
  (*source)->sample();
  int wakes = 0;
  for (int i = 0; i < 20; ++i) wakes += (*source)->wait(10'000) == Wake::trigger;
  EXPECT_LT(wakes, 5) << "a dead trigger must not spin";
  (*source)->wait(1'000'000);
  EXPECT_EQ((*source)->sample().psi_own.has_value(), !home.v2_is_root);
}

TEST(RealGroup, ALimitThatIsHitShowsInTheCounters) {
  const CgroupLocation home = here();
  const bool is_v1 = !home.v1_memory_dir.empty();
  const std::string parent = is_v1 ? home.v1_memory_dir : home.v2_dir;
  RealGroup group(parent, "kvpsi-limit");
  const char* limit_file = is_v1 ? "memory.limit_in_bytes" : "memory.max";
  if (!group.is_made() || !group.set(limit_file, std::to_string(32 * kMiB))) {
    GTEST_SKIP() << "no limited group may be made below '" << parent << "'";
  }
  const ColdFile file(96 * kMiB);
  CgroupLocation location = home;
  (is_v1 ? location.v1_memory_dir : location.v2_dir) = group.dir();
  const GroupMemory memory(location);
  std::vector<char> buffer(16384);
  const GroupReading before = memory.read(buffer);
  EXPECT_EQ(before.limit_bytes, 32 * kMiB);
  EXPECT_EQ(memory.tightest_dir(), group.dir());
  Child child([&] {
    if (!group.add_self()) return 1;
    file.read_all();
    return 0;
  });
  ASSERT_EQ(child.wait(), 0);
  const GroupReading after = memory.read(buffer);
  EXPECT_GT(after.limit_hits_total.value(), before.limit_hits_total.value());
  EXPECT_GT(after.usage_bytes.value(), 16 * kMiB);
  EXPECT_GT(after.file_bytes.value(), 8 * kMiB) << "reclaimable, thus headroom";
  EXPECT_LE(after.usage_bytes.value(), 33 * kMiB);
  EXPECT_EQ(after.oom_kills_total, before.oom_kills_total);
  ASSERT_TRUE(group.remove());
  EXPECT_TRUE(memory.read(buffer).is_lost);
}

TEST(RealGroup, RealStallFiresTheTriggerAndMovesTheTotals) {
  const CgroupLocation home = here();
  const bool is_hybrid = home.kind == CgroupKind::hybrid;
  RealGroup pressure(home.v2_dir, "kvpsi-stall");
  RealGroup limit(is_hybrid ? home.v1_memory_dir : "", "kvpsi-stall");
  const bool is_limited = is_hybrid
                              ? limit.is_made() && limit.set("memory.limit_in_bytes", "16777216")
                              : pressure.set("memory.max", "16777216");
  if (!pressure.is_made() || !is_limited) GTEST_SKIP() << "no limited group may be made here";
  const auto source =
      KernelSource::open({.paths = {.psi_own = pressure.dir() + "/memory.pressure"}});
  ASSERT_TRUE(source) << describe(source.error());
  if ((*source)->facts().own.granted.empty()) {
    GTEST_SKIP() << "no trigger may be set here: " << (*source)->facts().own.reason;
  }
  const ColdFile file(32 * kMiB);
  const PsiTotals before = (*source)->sample().psi_own.value();
  const std::uint64_t start_us = monotonic_us();
  const Child thrasher([&]() -> int {
    if (!pressure.add_self() || (is_hybrid && !limit.add_self())) return 1;
    file.thrash(32 * kMiB);
  });
  // No reading meanwhile: whoever reads the file when averages are due updates them without looking
  // at the triggers (psi_show of the kernel), so a quick reader starves an unprivileged trigger.
  std::uint64_t passed_us = 0;
  bool is_fired = false;
  while (!is_fired && passed_us < 15'000'000) {
    is_fired = (*source)->wait(1'000'000) == Wake::trigger;
    passed_us = monotonic_us() - start_us;
  }
  const std::uint64_t stall_us =
      (*source)->sample().psi_own.value_or(before).some_us_total - before.some_us_total;
  if (!is_fired && stall_us < 1'500'000) {
    GTEST_SKIP() << "the disk is too fast here: " << stall_us << " us of stall in 15 s";
  }
  RecordProperty("stall_us", std::to_string(stall_us));
  RecordProperty("trigger_fired_after_us", std::to_string(passed_us));
  EXPECT_TRUE(is_fired);
  EXPECT_GT(stall_us, 0u);
}

}  // namespace
}  // namespace kvpsi
