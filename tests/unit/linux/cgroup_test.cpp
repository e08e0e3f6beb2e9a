// SPDX-License-Identifier: MIT
// Finding the own group: every hierarchy kind from fixtures, and the parsers beneath.
#include "linux/cgroup.h"

#include <gtest/gtest.h>

#include "linux/mountinfo.h"
#include "support/fake_fs.h"

namespace kvpsi {
namespace {

using test::FakeFs;

TEST(Mountinfo, ReadsTheCgroupMountsOnly) {
  const auto mounts = parse_cgroup_mounts(
      "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
      "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw master:9 - cgroup memory rw,memory\n"
      "36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
      "41 31 0:38 / /mnt/a\\040b rw - cgroup2 cgroup2 rw,nsdelegate\n");
  ASSERT_TRUE(mounts) << describe(mounts.error());
  ASSERT_EQ(mounts->size(), 3u);
  EXPECT_TRUE((*mounts)[0].has_memory);
  EXPECT_EQ((*mounts)[0].root, "/docker/abc");
  EXPECT_FALSE((*mounts)[1].has_memory);
  EXPECT_TRUE((*mounts)[2].is_v2);
  EXPECT_EQ((*mounts)[2].mount_point, "/mnt/a b");
}

TEST(Mountinfo, EmptyIsNoMountsAndBrokenLinesAreRefused) {
  EXPECT_TRUE(parse_cgroup_mounts("")->empty());
  for (const char* bad : {"22 27 0:21 / /proc rw proc proc rw\n", "22 - cgroup2 x rw\n", "\n"}) {
    EXPECT_FALSE(parse_cgroup_mounts(bad)) << bad;
  }
}

TEST(Mountinfo, SaysWhichMountShowsAPathAndFromWhere) {
  const auto mounts = parse_mounts(
      "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
      "2 1 0:40 /sub /var rw shared:1 - btrfs /dev/mmcblk0p2 rw,subvol=/sub\n"
      "3 1 0:41 / /var/tmp rw - tmpfs tmpfs rw\n"
      "4 1 0:42 / /var/tmp rw - overlay over rw,lowerdir=/a:/b,upperdir=/up\\040per\n"
      "5 1 0:4 net:[402] /run/netns/x rw - nsfs nsfs rw\n");
  ASSERT_TRUE(mounts) << describe(mounts.error());
  EXPECT_EQ(mount_of(*mounts, "/")->source, "/dev/sda1");
  EXPECT_EQ(mount_of(*mounts, "/variable")->source, "/dev/sda1");
  EXPECT_EQ(mount_of(*mounts, "/var")->source, "/dev/mmcblk0p2");
  const Mount* const top = mount_of(*mounts, "/var/tmp/x");
  EXPECT_EQ(top->type, "overlay");
  EXPECT_EQ(mount_option(top->super_options, "upperdir"), "/up per");
  EXPECT_EQ(mount_option(top->super_options, "upper"), std::nullopt);
  EXPECT_EQ(mount_of({}, "/"), nullptr);
}

TEST(ProcessGroups, ReadsBothHierarchies) {
  const auto groups =
      parse_process_groups("9:name=systemd:/a\n4:cpu,memory:/v1:odd\n0::/v2 group\n");
  ASSERT_TRUE(groups);
  EXPECT_EQ(groups->v1_memory, "/v1:odd");
  EXPECT_EQ(groups->v2, "/v2 group");
  EXPECT_FALSE(parse_process_groups("")->v2);
  for (const char* bad : {"garbage\n", "4:memory\n", "4:memory:relative\n", "\n"}) {
    EXPECT_FALSE(parse_process_groups(bad)) << bad;
  }
}

TEST(Cgroup, FindsV2) {
  const FakeFs fs = FakeFs::v2("/app/engine");
  const auto found = find_cgroup(fs.roots());
  ASSERT_TRUE(found) << describe(found.error());
  EXPECT_EQ(found->kind, CgroupKind::v2);
  EXPECT_EQ(found->v2_dir, fs.at("sys/app/engine"));
  EXPECT_EQ(found->v2_mount, fs.at("sys"));
  EXPECT_FALSE(found->v2_is_root);
  EXPECT_EQ(list_ancestors(found->v2_dir, found->v2_mount),
            (std::vector{fs.at("sys/app/engine"), fs.at("sys/app"), fs.at("sys")}));
}

TEST(Cgroup, KnowsTheRootOfV2) {
  const FakeFs fs = FakeFs::v2("/");
  const auto found = find_cgroup(fs.roots());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->v2_dir, fs.at("sys"));
  EXPECT_TRUE(found->v2_is_root);
}

TEST(Cgroup, ANamespaceRootIsAGroupOfItsOwn) {
  const FakeFs fs = FakeFs::v2("/").with("sys/cgroup.events", "populated 1\n");
  const auto found = find_cgroup(fs.roots());
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->v2_is_root);
}

TEST(Cgroup, FindsV1BelowTheMountsRoot) {
  const FakeFs fs = FakeFs::v1("/docker/abc");
  const auto found = find_cgroup(fs.roots());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind, CgroupKind::v1);
  EXPECT_EQ(found->v1_memory_dir, fs.at("sys/memory/docker/abc"));
  EXPECT_TRUE(found->v2_dir.empty());
  // A container without its own cgroup namespace: the mount shows only the own group.
  fs.write("proc/self/mountinfo",
           "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  EXPECT_EQ(find_cgroup(fs.roots())->v1_memory_dir, fs.at("sys/memory"));
}

TEST(Cgroup, FindsHybrid) {
  const FakeFs fs = FakeFs::hybrid("/process_api/7", "/");
  const auto found = find_cgroup(fs.roots());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind, CgroupKind::hybrid);
  EXPECT_EQ(found->v1_memory_dir, fs.at("sys/memory/process_api/7"));
  EXPECT_EQ(found->v1_memory_mount, fs.at("sys/memory"));
  EXPECT_EQ(found->v2_dir, fs.at("sys/unified"));
  EXPECT_TRUE(found->v2_is_root);
}

TEST(Cgroup, NoneIsAnAnswer) {
  const FakeFs fs = FakeFs::none();
  const auto found = find_cgroup(fs.roots());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind, CgroupKind::none);
}

TEST(Cgroup, AGroupOutsideTheNamespaceIsNotReachable) {
  const FakeFs fs = FakeFs::v2("/app").with("proc/self/cgroup", "0::/../other\n");
  EXPECT_EQ(find_cgroup(fs.roots())->kind, CgroupKind::none);
  fs.write("proc/self/cgroup", "0::/gone\n");
  EXPECT_EQ(find_cgroup(fs.roots())->kind, CgroupKind::none);
}

TEST(Cgroup, ReportsWhatIsMissingOrMalformed) {
  const FakeFs fs = FakeFs::v2().with("proc/self/mountinfo", "no separator\n");
  const auto malformed = find_cgroup(fs.roots());
  ASSERT_FALSE(malformed);
  EXPECT_EQ(malformed.error().code, ErrorCode::malformed);
  EXPECT_EQ(malformed.error().path, fs.at("proc/self/mountinfo"));
  const auto absent = find_cgroup(fs.roots(), 999);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::not_found);
}

TEST(Cgroup, FindsThisProcessOnThisMachine) {
  const auto found = find_cgroup({});
  ASSERT_TRUE(found) << describe(found.error());
  for (const auto& dir : {found->v2_dir, found->v1_memory_dir}) {
    EXPECT_TRUE(dir.empty() || std::filesystem::is_directory(dir)) << dir;
  }
}

}  // namespace
}  // namespace kvpsi
