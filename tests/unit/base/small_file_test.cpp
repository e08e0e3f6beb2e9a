// SPDX-License-Identifier: MIT
// Files that people name: what is read, and what each unreadable kind is told.
#include "base/small_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace kvpsi {
namespace {

class SmallFile : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
    return folder_ + "/" + name;
  }

  const std::string folder_ = testing::TempDir() + "kvpsi_small_" + std::to_string(::getpid());
};

TEST_F(SmallFile, IsReadWhole) {
  const std::string text = std::string(200'000, 'x') + '\0' + "end";
  EXPECT_EQ(read_named_file(write("a", text)), text);
}

TEST_F(SmallFile, IsBounded) {
  const std::string path = write("a", "12345");
  EXPECT_EQ(read_named_file(path, 5), "12345");
  EXPECT_EQ(read_named_file(path, 4).error().code, ErrorCode::invalid_argument);
  const auto endless = read_named_file("/dev/zero");
  EXPECT_EQ(endless.error().what, "is larger than 1.00 MiB, the most such a file may have");
  EXPECT_EQ(endless.error().path, "/dev/zero");
}

TEST_F(SmallFile, SaysWhatIsUnreadable) {
  EXPECT_EQ(read_named_file(folder_ + "/absent").error().code, ErrorCode::not_found);
  EXPECT_EQ(read_named_file(folder_).error().what, "is a directory, not a file");
  EXPECT_EQ(read_named_file(write("empty", "")).error().what, "is empty");
}

TEST_F(SmallFile, NobodyIsWaitedFor) {
  const std::string path = folder_ + "/pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(read_named_file(path).error().what, "is empty");
}

}  // namespace
}  // namespace kvpsi
