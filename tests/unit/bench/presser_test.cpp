// SPDX-License-Identifier: MIT
// The presser really holds what it says, page for page, keeps its bounds, and ends when told.
#include "bench/presser.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/bytes.h"
#include "base/clock.h"

namespace kvpsi {
namespace {

std::uint64_t read_own_rss(const char* field) {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(field)) return std::stoull(line.substr(line.find(':') + 1)) * kKiB;
  }
  return 0;
}

PressOptions brief(std::uint64_t anon_bytes, std::uint64_t file_bytes) {
  PressOptions options;
  options.anon_bytes = anon_bytes;
  options.file_bytes = file_bytes;
  options.directory = "/var/tmp";
  options.for_s = 0.4;
  return options;
}

TEST(Presser, HoldsAnonymousAndFilePagesWhileItWorks) {
  const std::uint64_t anon_before = read_own_rss("RssAnon");
  const std::uint64_t file_before = read_own_rss("RssFile");
  std::uint64_t anon_ready = 0;
  std::uint64_t file_ready = 0;
  int readies = 0;
  const auto summary = run_presser(
      brief(32 * kMiB, 8 * kMiB), [] { return false; },
      [&] {
        ++readies;
        anon_ready = read_own_rss("RssAnon");
        file_ready = read_own_rss("RssFile");
      });
  ASSERT_TRUE(summary) << describe(summary.error());
  EXPECT_EQ(readies, 1);
  EXPECT_GE(anon_ready + kMiB, anon_before + 32 * kMiB);
  EXPECT_GE(file_ready + kMiB, file_before + 8 * kMiB);
  EXPECT_GT(summary->rounds_total, 1U);
  EXPECT_EQ(summary->rounds.size(), summary->rounds_total);
  EXPECT_EQ(summary->anon_bytes, 32 * kMiB);
  EXPECT_EQ(summary->file_bytes, 8 * kMiB);
  EXPECT_FALSE(summary->stopped);
  EXPECT_LT(read_own_rss("RssAnon"), anon_before + 16 * kMiB) << "all of it is given back";
}

TEST(Presser, RoundsAreInOrderAndDoNotOverlap) {
  const auto summary = run_presser(brief(4 * kMiB, 0), [] { return false; }, [] {});
  ASSERT_TRUE(summary);
  for (std::size_t i = 1; i < summary->rounds.size(); ++i) {
    const Round& round = summary->rounds[i];
    EXPECT_GE(round.end_us - round.duration_us, summary->rounds[i - 1].end_us);
  }
}

TEST(Presser, ReadsWithPreadToo) {
  PressOptions options = brief(0, 4 * kMiB);
  options.use_mmap = false;
  const auto summary = run_presser(options, [] { return false; }, [] {});
  ASSERT_TRUE(summary) << describe(summary.error());
  EXPECT_GT(summary->rounds_total, 0U);
}

TEST(Presser, GrowsInStepsAndIsReadyAtTheLast) {
  PressOptions options = brief(8 * kMiB, 0);
  options.step_bytes = 2 * kMiB;
  options.step_s = 0.1;
  options.for_s = 2;
  const std::uint64_t begin_us = monotonic_us();
  std::uint64_t ready_us = 0;
  const auto summary =
      run_presser(options, [&] { return ready_us != 0; }, [&] { ready_us = monotonic_us(); });
  ASSERT_TRUE(summary);
  EXPECT_GE(ready_us - begin_us, 300'000U) << "four steps are three waits";
  EXPECT_EQ(summary->anon_bytes, 8 * kMiB);
}

TEST(Presser, ColdTouchesOnceAndThenRests) {
  PressOptions options = brief(8 * kMiB, 0);
  options.hot = false;
  const auto summary = run_presser(options, [] { return false; }, [] {});
  ASSERT_TRUE(summary);
  EXPECT_LT(summary->rounds_total, 100U) << "a resting presser must not spin";
}

TEST(Presser, StopsWithinARound) {
  PressOptions options = brief(64 * kMiB, 0);
  options.for_s = 60;
  const std::uint64_t begin_us = monotonic_us();
  int asked = 0;
  const auto summary = run_presser(options, [&] { return ++asked > 20; }, [] {});
  ASSERT_TRUE(summary);
  EXPECT_TRUE(summary->stopped);
  EXPECT_LT(monotonic_us() - begin_us, 10'000'000U);
}

TEST(Presser, RefusesWhatIsOutOfBounds) {
  const auto refuses = [](const PressOptions& options, std::string_view words) {
    const auto summary = run_presser(options, [] { return false; }, [] {});
    ASSERT_FALSE(summary);
    EXPECT_EQ(summary.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(summary.error().what.find(words), std::string::npos) << summary.error().what;
  };
  refuses(brief(0, 0), "--mib");
  PressOptions options = brief(kMiB, 0);
  options.for_s = 3601;
  refuses(options, "3600");
  options = brief(64 * kMiB, 64 * kMiB);
  options.available_bytes = 100 * kMiB;
  refuses(options, "--force");
}

TEST(Presser, ForceAllowsMoreThanThereSeemsToBe) {
  PressOptions options = brief(2 * kMiB, 0);
  options.available_bytes = kMiB;
  options.force = true;
  EXPECT_TRUE(run_presser(options, [] { return false; }, [] {}));
}

TEST(Presser, RefusesAFileInMemory) {
  if (!std::filesystem::exists("/dev/shm")) GTEST_SKIP() << "no tmpfs at /dev/shm";
  PressOptions options = brief(0, kMiB);
  options.directory = "/dev/shm";
  const auto made = run_presser(options, [] { return false; }, [] {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::unsupported);
}

TEST(Presser, FileProblemsAreErrorsWithThePath) {
  PressOptions options = brief(0, 0);
  options.file = "/var/tmp/kvpsi-there-is-no-such-file";
  const auto missing = run_presser(options, [] { return false; }, [] {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_EQ(missing.error().path, options.file);
  options = brief(0, kMiB);
  options.directory = "/var/tmp/kvpsi-there-is-no-such-folder";
  EXPECT_FALSE(run_presser(options, [] { return false; }, [] {}));
}

TEST(Presser, AvailableIsTheMachinesOrTheGroups) {
  const auto available = find_available_bytes();
  ASSERT_TRUE(available) << describe(available.error());
  EXPECT_GT(*available, 16 * kMiB);
  EXPECT_FALSE(find_available_bytes("/var/tmp/kvpsi-no-proc"));
}

}  // namespace
}  // namespace kvpsi
