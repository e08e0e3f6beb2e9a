// SPDX-License-Identifier: MIT
// Where spilling is allowed: real directories in memory and on disk, fixtures of sysfs for cards.
#include "linux/spill_place.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "linux/block_device.h"
#include "support/fake_fs.h"
#include "support/spill_disk.h"

namespace kvpsi {
namespace {

using test::DiskDir;
using test::FakeFs;

class SpillPlaceTest : public testing::Test {
 protected:
  SpillPlaceTest() : fs_(FakeFs::none()) {}
  void SetUp() override {
    if (!dir_.exists()) GTEST_SKIP() << "no directory on a disk with room for spilling";
  }

  std::string number() const {
    struct stat status{};
    EXPECT_EQ(::stat(dir_.path().c_str(), &status), 0);
    return std::to_string(gnu_dev_major(status.st_dev)) + ":" +
           std::to_string(gnu_dev_minor(status.st_dev));
  }
  /// A sysfs where the directory's device is devices/`device`.
  SpillPlaceRules rules_with(const std::string& device) {
    const std::string link = "sys/dev/block/" + number();
    fs_.write(link, "");
    fs_.remove(link);
    fs_.write("sys/devices/" + device + "/size", "1\n");
    std::filesystem::create_symlink("../../devices/" + device, fs_.at(link));
    SpillPlaceRules rules;
    rules.sys = fs_.at("sys");
    rules.mountinfo = fs_.at("proc/self/mountinfo");
    return rules;
  }
  ErrorCode code(const std::string& directory, const SpillPlaceRules& rules) {
    const auto checked = check_spill_directory(directory, rules);
    if (!checked) said_ = describe(checked.error());
    EXPECT_FALSE(checked);
    return checked ? ErrorCode::cancelled : checked.error().code;
  }

  FakeFs fs_;
  DiskDir dir_;
  std::string said_;
};

TEST_F(SpillPlaceTest, TakesADirectoryOnADisk) {
  EXPECT_TRUE(check_spill_directory(dir_.path(), rules_with("pci/block/sda")));
  EXPECT_EQ(disks_below("/sys", 0), std::vector<std::string>{});
}

TEST_F(SpillPlaceTest, RefusesMemory) {
  struct stat status{};
  if (::stat("/dev/shm", &status) != 0) GTEST_SKIP() << "no /dev/shm here";
  EXPECT_EQ(code("/dev/shm", {}), ErrorCode::unsupported);
  EXPECT_NE(said_.find("tmpfs"), std::string::npos) << said_;
  EXPECT_EQ(said_.find('\n'), std::string::npos);
}

TEST_F(SpillPlaceTest, RefusesWhatIsNoDirectoryOrNotThere) {
  EXPECT_EQ(code(dir_.path() + "/none", {}), ErrorCode::not_found);
  EXPECT_EQ(code("/proc/self/status", {}), ErrorCode::invalid_argument);
  EXPECT_EQ(code("", {}), ErrorCode::not_found);
}

TEST_F(SpillPlaceTest, RefusesADirectoryThatIsNotWritable) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0500), 0);
  EXPECT_EQ(code(dir_.path(), {}), ErrorCode::permission);
}

TEST_F(SpillPlaceTest, RefusesACardAndItsPartitionsUnlessAllowed) {
  SpillPlaceRules rules = rules_with("mmc0/block/mmcblk0/mmcblk0p2");
  fs_.write("sys/devices/mmc0/block/mmcblk0/mmcblk0p2/partition", "2\n");
  EXPECT_EQ(code(dir_.path(), rules), ErrorCode::unsupported);
  EXPECT_NE(said_.find("mmcblk0,"), std::string::npos) << said_;
  rules.allow_flash = true;
  EXPECT_TRUE(check_spill_directory(dir_.path(), rules));
}

TEST_F(SpillPlaceTest, FindsACardBelowDeviceMapperAndRaid) {
  SpillPlaceRules rules = rules_with("virtual/block/dm-0");
  const std::string slaves = fs_.at("sys/devices/virtual/block/dm-0/slaves");
  fs_.write("sys/devices/virtual/block/md1/slaves/x", "");
  fs_.remove("sys/devices/virtual/block/md1/slaves/x");
  fs_.write("sys/devices/mmc0/block/mmcblk1/mmcblk1p1/partition", "1\n");
  fs_.write("sys/devices/pci/block/nvme0n1/size", "1\n");
  std::filesystem::create_directories(slaves);
  std::filesystem::create_symlink("../../md1", slaves + "/md1");
  const std::string deeper = fs_.at("sys/devices/virtual/block/md1/slaves");
  std::filesystem::create_symlink("../../../../mmc0/block/mmcblk1/mmcblk1p1",
                                  deeper + "/mmcblk1p1");
  std::filesystem::create_symlink("../../../../pci/block/nvme0n1", deeper + "/nvme0n1");
  EXPECT_EQ(code(dir_.path(), rules), ErrorCode::unsupported);
  struct stat status{};
  ASSERT_EQ(::stat(dir_.path().c_str(), &status), 0);
  auto disks = disks_below(rules.sys, status.st_dev);
  std::ranges::sort(disks);
  EXPECT_EQ(disks, (std::vector<std::string>{"mmcblk1", "nvme0n1"}));
}

TEST_F(SpillPlaceTest, DevicesThatStandOnEachOtherEndTheWalk) {
  const SpillPlaceRules rules = rules_with("virtual/block/dm-0");
  const std::string slaves = fs_.at("sys/devices/virtual/block/dm-0/slaves");
  std::filesystem::create_directories(slaves);
  std::filesystem::create_symlink("../../dm-0", slaves + "/dm-0");
  EXPECT_TRUE(check_spill_directory(dir_.path(), rules));
}

TEST_F(SpillPlaceTest, RefusesDisksThatAreMemory) {
  EXPECT_EQ(code(dir_.path(), rules_with("virtual/block/zram0")), ErrorCode::unsupported);
  EXPECT_NE(said_.find("zram0"), std::string::npos) << said_;
}

TEST_F(SpillPlaceTest, RefusesAnOverlayWhoseUpperIsInMemory) {
  SpillPlaceRules rules = rules_with("pci/block/sda");
  fs_.write("proc/self/mountinfo",
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
            "2 1 0:40 / /" +
                dir_.path().substr(1, dir_.path().find('/', 1) - 1) +
                " rw - overlay overlay rw,lowerdir=/x,upperdir=/dev/shm,workdir=/w\n");
  EXPECT_EQ(code(dir_.path(), rules), ErrorCode::unsupported);
  EXPECT_NE(said_.find("overlay"), std::string::npos) << said_;
}

TEST_F(SpillPlaceTest, AGarbledMountinfoIsNoReasonToRefuse) {
  SpillPlaceRules rules = rules_with("pci/block/sda");
  fs_.write("proc/self/mountinfo", "garbage\n");
  EXPECT_TRUE(check_spill_directory(dir_.path(), rules));
}

TEST_F(SpillPlaceTest, RefusesAFullDisk) {
  test::FaultyIo io;
  io.space = DiskSpace{.total_bytes = 10 * kGiB, .free_bytes = 512 * kMiB};
  const auto full = check_spill_directory(dir_.path(), rules_with("pci/block/sda"), io);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::exhausted);
  EXPECT_EQ(keep_free_of({.total_bytes = 100 * kGiB}), kGiB);
  EXPECT_EQ(keep_free_of({.total_bytes = 10 * kGiB}), 512 * kMiB);
}

TEST_F(SpillPlaceTest, ChoosesTheFirstThatWillDoOrSaysWhyNone) {
  const std::vector<std::string> some{"", "/proc/self/status", dir_.path(), "/var/tmp"};
  SpillPlaceRules rules;
  rules.allow_flash = true;
  EXPECT_EQ(choose_spill_directory(some, rules).value(), dir_.path());
  const std::vector<std::string> none{"/proc/self/status", dir_.path() + "/none"};
  const auto chosen = choose_spill_directory(none, rules);
  ASSERT_FALSE(chosen);
  const std::string said = describe(chosen.error());
  EXPECT_NE(said.find("/proc/self/status: is not a directory"), std::string::npos) << said;
  EXPECT_NE(said.find("/none: does not exist"), std::string::npos) << said;
  EXPECT_FALSE(choose_spill_directory({}, rules));
}

}  // namespace
}  // namespace kvpsi
