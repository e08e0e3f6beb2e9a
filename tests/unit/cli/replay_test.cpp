// SPDX-License-Identifier: MIT
// The replay command: exit codes, what it prints, and the file of constants it takes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/bytes.h"
#include "cli/cmd_simulate_replay.h"
#include "cli/exit_code.h"
#include "cli/policy_config_file.h"
#include "govern/governor.h"
#include "journal/config_json.h"
#include "journal/tick_json.h"
#include "support/fake_machine.h"

namespace kvpsi {
namespace {

class ReplayCommand : public testing::Test {
 protected:
  void SetUp() override {
    config_.trim_allowed = true;
    for (const Tick& tick : test::record_lossy_squeeze(config_, 12'000'000)) {
      ticks_ += tick_to_json(tick) + "\n";
    }
    write("journal", config_to_json(config_) + "\n" + ticks_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(folder_);
    std::ofstream(path(name), std::ios::binary) << text;
  }
  /// Exit code; what was printed is in out_.
  int run(const std::string& journal, const std::string& constants = {}, bool json = false) {
    common_.json = json;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const ReplayOptions options{path(journal), constants.empty() ? "" : path(constants)};
    const int code = run_replay(options, common_);
    out_ = testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
    return code;
  }
  bool said(const std::string& what) const { return out_.find(what) != std::string::npos; }

  const std::string folder_ = testing::TempDir() + "kvpsi_replay_" + std::to_string(::getpid());
  PolicyConfig config_;
  std::string ticks_;
  CommonOptions common_;
  std::string out_;
};

TEST_F(ReplayCommand, ReproducesARecordedRun) {
  EXPECT_EQ(run("journal"), kExitDone);
  EXPECT_TRUE(said("decisions, all reproduced\n")) << out_;
  EXPECT_EQ(run("journal", {}, true), kExitDone);
  EXPECT_TRUE(said("\"holds\":true")) << out_;
}

TEST_F(ReplayCommand, NamesADifference) {
  const std::string from = "\"need_bytes\":0,";
  std::string changed = ticks_;
  changed.replace(changed.find(from), from.size(), "\"need_bytes\":7,");
  write("changed", config_to_json(config_) + "\n" + changed);
  EXPECT_EQ(run("changed"), kExitNotHeld);
  EXPECT_TRUE(said("decision.need_bytes was 7, is now 0")) << out_;
}

TEST_F(ReplayCommand, WithoutConfigItAssumesTheDefaultsAndSaysSo) {
  write("old", ticks_);
  EXPECT_EQ(run("old"), kExitNotHeld);
  EXPECT_TRUE(said("the journal names none, so the defaults were assumed")) << out_;
}

TEST_F(ReplayCommand, OtherConstantsShowWhatWouldHaveDiffered) {
  const std::string text = "# no trims\ntrim_allowed = false\nreserve_low_bytes = \"128MiB\"\n";
  write("other.toml", text);
  EXPECT_EQ(run("journal", "other.toml"), kExitDone);
  EXPECT_TRUE(said("decisions differ")) << out_;
  EXPECT_TRUE(said("bytes asked of trims")) << out_;
  const auto read = apply_policy_config(text, path("other.toml"), config_);
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->trim_allowed);
  EXPECT_EQ(read->reserve_low_bytes, 128 * kMiB);
}

TEST_F(ReplayCommand, BadConstantsAreRefusedWithTheirLine) {
  const struct {
    std::string text;
    std::string what;
  } cases[] = {
      {"dwell = 3\n", "line 1: the law has no constant 'dwell'"},
      {"\ndwell_us = soon\n",
       "line 2: 'soon' is no value for dwell_us (a whole number of unit us)"},
      {"dwell_us = -1\n", "line 1: '-1' is no value for dwell_us"},
      {"high_some = nan\n", "line 1: 'nan' is no value for high_some"},
      {"trim_allowed = 1\n", "line 1: '1' is no value for trim_allowed"},
      {"kv_min_bytes = 3 stones\n",
       "line 1: '3 stones' is no value for kv_min_bytes (a size in B, KiB,"},
      {"high_some = 1.5\n", "high_some (1.5) must be a share from 0 to 1"},
      {"leave_high_some = 0.5\n", "leave_high_some (0.5) must not be above high_some (0.1)"},
      {"fast_window_us = 0\n", "fast_window_us (0) must be more than 0"},
      {"", "bad.toml: is empty"},
      {"dwell_us = 3\ndwell_us = 3\n", "line 2: dwell_us is set twice"},
      {"[policy]\n", "line 1: is not of the form name = value"},
  };
  for (const auto& c : cases) {
    write("bad.toml", c.text);
    EXPECT_EQ(run("journal", "bad.toml"), kExitUsage) << c.text;
    EXPECT_TRUE(said(c.what)) << out_;
  }
  EXPECT_EQ(run("journal", "absent.toml"), kExitUsage);
}

TEST_F(ReplayCommand, BadJournalsAreRefusedInOneLine) {
  EXPECT_EQ(run("absent"), kExitUsage);
  write("none", "");
  EXPECT_EQ(run("none"), kExitNotHeld);
  EXPECT_TRUE(said("holds no whole tick")) << out_;
  write("garbled", config_to_json(config_) + "\nnoise\n");
  EXPECT_EQ(run("garbled"), kExitUsage);
  EXPECT_TRUE(said("line 2: is not a JSON object")) << out_;
  write("cut", (config_to_json(config_) + "\n" + ticks_).substr(0, ticks_.size() / 2));
  EXPECT_EQ(run("cut"), kExitDone) << "a cut journal is replayed as far as it goes";
}

}  // namespace
}  // namespace kvpsi
