// SPDX-License-Identifier: MIT
// A note stays with its file through renames and copies, goes when the file is written anew, and
// nothing else is taken for one.
#include "linux/file_note.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "support/fake_fs.h"

namespace kvpsi {
namespace {

class FileNoteTest : public ::testing::Test {
 protected:
  void write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  std::string read() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  test::FakeFs files_ = test::FakeFs::v2();
  const std::string path_ = files_.at("file");
};

TEST_F(FileNoteTest, GoesWhereTheFileGoes) {
  write("text");
  EXPECT_FALSE(read_file_note(path_));
  ASSERT_TRUE(append_file_note(path_, -42));
  EXPECT_EQ(read().substr(0, 4), "text");
  EXPECT_EQ(read().size(), 4 + kFileNoteBytes);
  std::filesystem::copy_file(path_, path_ + ".copy");
  std::filesystem::rename(path_, path_ + ".moved");
  EXPECT_EQ(read_file_note(path_ + ".copy"), -42);
  EXPECT_EQ(read_file_note(path_ + ".moved"), -42);
}

TEST_F(FileNoteTest, IsGoneWhenTheFileIsWrittenAnew) {
  write("text");
  ASSERT_TRUE(append_file_note(path_, 1));
  write("another text");
  EXPECT_FALSE(read_file_note(path_));
}

TEST_F(FileNoteTest, NothingElseIsTakenForOne) {
  write("text");
  ASSERT_TRUE(append_file_note(path_, 7));
  const std::string whole = read();
  for (std::size_t at = 4; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    write(changed);
    EXPECT_FALSE(read_file_note(path_)) << "byte " << at;
  }
  write(whole.substr(1));  // as a copy without its beginning
  EXPECT_FALSE(read_file_note(path_));
  write(whole + "x");
  EXPECT_FALSE(read_file_note(path_));
  write("");
  EXPECT_FALSE(read_file_note(path_));
}

TEST_F(FileNoteTest, WhatIsNoFileTakesNoneAndStaysAsItWas) {
  EXPECT_FALSE(read_file_note(path_));
  for (const std::string& path : {path_, files_.at("proc")}) {
    const auto appended = append_file_note(path, 1);
    ASSERT_FALSE(appended);
    EXPECT_EQ(appended.error().path, path);
    EXPECT_FALSE(read_file_note(path));
  }
}

TEST_F(FileNoteTest, AFileThatMayNotGrowStaysAsItWas) {
  write("text");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit tight{.rlim_cur = 4 + kFileNoteBytes / 2, .rlim_max = before.rlim_max};
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const auto appended = append_file_note(path_, 1);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old);
  EXPECT_FALSE(appended);
  EXPECT_EQ(read(), "text");
}

}  // namespace
}  // namespace kvpsi
