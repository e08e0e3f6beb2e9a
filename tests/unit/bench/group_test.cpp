// SPDX-License-Identifier: MIT
// Groups on a fake of pure v2, whose rules this kind of machine may not have, and for real where
// that is possible: made, limited, left by nothing.
#include "bench/group.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "base/bytes.h"
#include "bench/group_name.h"
#include "linux/cgroup.h"
#include "unit/bench/fake_cgroup.h"

namespace kvpsi {
namespace {

using testing_support::FakeCgroups;

constexpr const char* kRoot = "/cg";
constexpr const char* kSlice = "/cg/user.slice";
constexpr const char* kOwn = "/cg/user.slice/own.scope";

/// A session as systemd makes it: root and slice pass memory down, the scope holds us.
FakeCgroups make_session(bool writable_slice, bool writable_scope) {
  FakeCgroups fake(kRoot);
  fake.node(kRoot).passes_memory = true;
  fake.node(kRoot).writable = false;
  fake.add(kSlice).passes_memory = true;
  fake.node(kSlice).writable = writable_slice;
  fake.add(kOwn).pids = {::getpid()};
  fake.node(kOwn).writable = writable_scope;
  return fake;
}

TEST(GroupHome, V2UsesAWritableGroupThatPassesMemoryDown) {
  FakeCgroups fake = make_session(true, true);
  const auto home = GroupHome::find(fake, {"", kOwn}, "/proc");
  ASSERT_TRUE(home) << describe(home.error());
  EXPECT_EQ(home->limit_dir(), kSlice);
  EXPECT_EQ(home->pressure_dir(), kSlice);
  EXPECT_TRUE(home->is_v2());
  EXPECT_TRUE(fake.node(kOwn).pids.contains(::getpid())) << "nobody had to move";
}

TEST(GroupHome, V2MovesALonelyProcessIntoALeafAndBack) {
  FakeCgroups fake = make_session(false, true);
  {
    const auto home = GroupHome::find(fake, {"", kOwn}, "/proc");
    ASSERT_TRUE(home) << describe(home.error());
    EXPECT_EQ(home->limit_dir(), kOwn);
    EXPECT_TRUE(fake.node(kOwn).pids.empty());
    EXPECT_TRUE(fake.node(kOwn).passes_memory);
    auto group = BenchGroup::create(fake, *home, "kvpsi-bench-1-2-3");
    ASSERT_TRUE(group) << describe(group.error());
    EXPECT_TRUE(group->set_limit(kMiB));
  }
  EXPECT_TRUE(fake.node(kOwn).pids.contains(::getpid()));
  EXPECT_FALSE(fake.node(kOwn).passes_memory);
  EXPECT_EQ(fake.size(), 3U) << "nothing is left over";
}

TEST(GroupHome, V2DoesNotMoveStrangers) {
  FakeCgroups fake = make_session(false, true);
  fake.node(kOwn).pids.insert(4242);
  const auto home = GroupHome::find(fake, {"", kOwn}, "/proc");
  ASSERT_FALSE(home);
  EXPECT_EQ(home.error().code, ErrorCode::unsupported);
  EXPECT_NE(home.error().what.find("systemd-run --user --scope"), std::string::npos);
  EXPECT_EQ(fake.size(), 3U);
}

TEST(GroupHome, V2WithoutPermissionSaysWhatToDo) {
  FakeCgroups fake = make_session(false, false);
  const auto home = GroupHome::find(fake, {"", kOwn}, "/proc");
  ASSERT_FALSE(home);
  EXPECT_EQ(home.error().code, ErrorCode::unsupported);
}

TEST(GroupHome, V2RootMayPassDownInSpiteOfItsProcesses) {
  FakeCgroups fake(kRoot);
  fake.node(kRoot).pids = {1, ::getpid()};
  const auto home = GroupHome::find(fake, {"", kRoot}, "/proc");
  ASSERT_TRUE(home) << describe(home.error());
  EXPECT_EQ(home->limit_dir(), kRoot);
  EXPECT_TRUE(fake.node(kRoot).passes_memory);
}

TEST(GroupHome, WithoutAnyHierarchySaysSo) {
  FakeCgroups fake(kRoot);
  const auto home = GroupHome::find(fake, {"", ""}, "/proc");
  ASSERT_FALSE(home);
  EXPECT_EQ(home.error().code, ErrorCode::unsupported);
  EXPECT_NE(home.error().what.find("--scope system"), std::string::npos);
}

TEST(BenchGroup, V2LimitsTheParentAndJoinsTheParts) {
  FakeCgroups fake = make_session(true, true);
  const auto home = GroupHome::find(fake, {"", kOwn}, "/proc");
  ASSERT_TRUE(home);
  const std::string dir = std::string(kSlice) + "/kvpsi-bench-1-2-3";
  auto group = BenchGroup::create(fake, *home, "kvpsi-bench-1-2-3");
  ASSERT_TRUE(group);
  EXPECT_EQ(group->join_files(GroupPart::engine),
            std::vector<std::string>{dir + "/engine/cgroup.procs"});
  ASSERT_TRUE(group->set_limit(64 * kMiB));
  EXPECT_EQ(*fake.read(dir + "/memory.max"), std::to_string(64 * kMiB));
  ASSERT_TRUE(group->set_limit(0));
  EXPECT_EQ(*fake.read(dir + "/memory.max"), "max");
  fake.node(dir).files["memory.current"] = "1000\n";
  fake.node(dir).files["memory.events"] = "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\n";
  fake.node(dir).files["memory.pressure"] =
      "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 "
      "total=3\n";
  EXPECT_EQ(group->usage_bytes(), 1000U);
  EXPECT_EQ(group->peak_bytes(), 0U) << "memory.peak came with Linux 5.19";
  EXPECT_EQ(group->oom_kills(), 1U);
  EXPECT_EQ(group->stall(), (PsiTotals{5, 3}));
  EXPECT_FALSE(group->stall(GroupPart::engine));
}

TEST(BenchGroup, DestroyKillsWhatIsInsideAndNothingElse) {
  FakeCgroups fake = make_session(true, true);
  const auto home = GroupHome::find(fake, {"", kOwn}, "/proc");
  auto group = BenchGroup::create(fake, *home, "kvpsi-bench-1-2-3");
  ASSERT_TRUE(group);
  const std::string dir = std::string(kSlice) + "/kvpsi-bench-1-2-3";
  fake.node(dir + "/engine").pids = {0, 1, ::getpid(), 5001};
  fake.node(kOwn).pids.insert(6001);
  // 0, 1 and ourselves stay, so that the group cannot go either: that is an error, not a kill.
  const auto destroyed = group->destroy();
  ASSERT_FALSE(destroyed);
  EXPECT_EQ(destroyed.error().code, ErrorCode::busy);
  EXPECT_TRUE(std::ranges::all_of(fake.killed, [](pid_t pid) { return pid == 5001; }));
  EXPECT_TRUE(fake.node(kOwn).pids.contains(6001));
}

TEST(GroupSweep, RemovesGroupsOfTheDeadOnly) {
  FakeCgroups fake = make_session(true, true);
  const auto own_name = group_name("/proc");
  ASSERT_TRUE(own_name);
  const auto owner = parse_group_name(*own_name);
  ASSERT_TRUE(owner);
  const auto space = std::to_string(owner->pid_namespace);
  const std::string slice = kSlice;
  const std::string living = slice + "/" + *own_name;
  const std::string dead = slice + "/kvpsi-bench-999999999-1-" + space;
  const std::string reused = slice + "/kvpsi-bench-" + std::to_string(::getpid()) + "-1-" + space;
  const std::string elsewhere = slice + "/kvpsi-bench-999999999-1-12345";
  const std::string strange = slice + "/kvpsi-bench-999999998-1-" + space;
  const std::string alien = slice + "/kvpsi-bench-notes";
  for (const auto& dir : {living, dead, reused, elsewhere, strange, alien}) fake.add(dir);
  fake.add(dead + "/engine").pids = {7001};
  fake.node(strange).pids = {0};
  const auto removed = sweep_dead_groups(fake, {"", kOwn}, "/proc");
  EXPECT_EQ(removed.size(), 2U);
  EXPECT_FALSE(fake.has(dead));
  EXPECT_FALSE(fake.has(reused));
  EXPECT_EQ(fake.killed, std::vector<pid_t>{7001});
  for (const auto& dir : {living, elsewhere, strange, alien}) EXPECT_TRUE(fake.has(dir)) << dir;
}

TEST(GroupName, ParsesItsOwnAndNoOther) {
  const auto owner = parse_group_name("kvpsi-bench-12-345-678-self");
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->pid, 12);
  EXPECT_EQ(owner->start_ticks, 345U);
  EXPECT_EQ(owner->pid_namespace, 678U);
  for (const char* name : {"kvpsi-bench-", "kvpsi-bench-12", "kvpsi-bench-12-34", "user.slice",
                           "kvpsi-bench-12-34-56x", "kvpsi-bench--1-2-3"}) {
    EXPECT_FALSE(parse_group_name(name)) << name;
  }
}

/// The machine's own hierarchies.
TEST(BenchGroup, ForRealIsMadeLimitedAndRemoved) {
  const auto location = find_cgroup(CgroupRoots{});
  ASSERT_TRUE(location) << describe(location.error());
  const auto ops = make_cgroup_ops();
  const OwnGroups own{location->v1_memory_dir, location->v2_dir};
  const auto home = GroupHome::find(*ops, own, "/proc");
  if (!home) GTEST_SKIP() << describe(home.error());
  const std::string name = *group_name("/proc") + "-test";
  std::string limit_dir;
  {
    auto group = BenchGroup::create(*ops, *home, name);
    if (!group) GTEST_SKIP() << describe(group.error());
    limit_dir = home->limit_dir() + "/" + name;
    EXPECT_TRUE(ops->exists(limit_dir));
    ASSERT_TRUE(group->set_limit(64 * kMiB));
    EXPECT_TRUE(group->set_limit(0));
    EXPECT_EQ(group->oom_kills(), 0U);
    EXPECT_EQ(group->stall().has_value(), !home->pressure_dir().empty());
  }
  EXPECT_FALSE(ops->exists(limit_dir));
  if (!home->pressure_dir().empty()) {
    EXPECT_FALSE(ops->exists(home->pressure_dir() + "/" + name));
  }
}

}  // namespace
}  // namespace kvpsi
