// SPDX-License-Identifier: MIT
// Compares text with a file that holds the expected one. Set KVPSI_UPDATE_GOLDEN=1 to rewrite the
// files after a wanted change, and read the diff before committing it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace kvpsi::test {

/// `name` is relative to tests/, e.g. "unit/report/golden/table.txt".
inline void expect_golden(const std::string& name, const std::string& actual) {
  const std::string path = std::string(KVPSI_SOURCE_DIR) + "/tests/" + name;
  if (const char* update = std::getenv("KVPSI_UPDATE_GOLDEN");
      update != nullptr && *update == '1') {
    std::ofstream(path, std::ios::binary) << actual;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << path << " is missing: run once with KVPSI_UPDATE_GOLDEN=1";
  std::ostringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(actual, expected.str()) << path;
}

}  // namespace kvpsi::test
