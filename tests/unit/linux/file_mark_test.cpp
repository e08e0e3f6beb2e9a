// SPDX-License-Identifier: MIT
// A mark stays with its file, through a rename and a new text in it, and says when it cannot.
#include "linux/file_mark.h"

#include <gtest/gtest.h>
#include <sys/xattr.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "support/spill_disk.h"

namespace kvpsi {
namespace {

constexpr const char* kName = "kvpsi.test";

class FileMarkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!folder_.exists()) GTEST_SKIP() << "no disk here is allowed to hold files of tests";
    std::ofstream(path_) << "text";
    if (!set_file_mark(path_.c_str(), kName, 1)) {
      GTEST_SKIP() << "the file system here keeps no extended attributes";
    }
  }
  test::DiskDir folder_;
  std::string path_ = folder_.path() + "/file";
};

TEST_F(FileMarkTest, StaysUntilItIsTakenAway) {
  EXPECT_EQ(read_file_mark(path_.c_str(), kName), 1);
  EXPECT_TRUE(set_file_mark(path_.c_str(), kName, -42));
  const std::string moved = path_ + ".moved";
  std::filesystem::rename(path_, moved);
  std::ofstream(moved) << "another text";
  EXPECT_EQ(read_file_mark(moved.c_str(), kName), -42);
  EXPECT_TRUE(set_file_mark(moved.c_str(), kName, std::nullopt));
  EXPECT_FALSE(read_file_mark(moved.c_str(), kName));
  EXPECT_TRUE(set_file_mark(moved.c_str(), kName, std::nullopt)) << "there was none";
}

TEST_F(FileMarkTest, WhatSomebodyElseWroteThereReadsAsZero) {
  const std::string_view long_text = "999999999999999999999999999999999999999999";
  for (const std::string_view text : {std::string_view(), std::string_view("12x"), long_text}) {
    ASSERT_EQ(::setxattr(path_.c_str(), "user.kvpsi.test", text.data(), text.size(), 0), 0);
    EXPECT_EQ(read_file_mark(path_.c_str(), kName), 0) << text;
  }
}

TEST_F(FileMarkTest, AFileThatIsNotThereTakesNone) {
  const std::string missing = path_ + ".missing";
  EXPECT_FALSE(set_file_mark(missing.c_str(), kName, 1));
  EXPECT_FALSE(set_file_mark(missing.c_str(), kName, std::nullopt));
  EXPECT_FALSE(read_file_mark(missing.c_str(), kName));
}

}  // namespace
}  // namespace kvpsi
