// SPDX-License-Identifier: MIT
// Own memory by kind, heap trim, mapped files by smaps, small facts about the process.
#include "linux/own_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/bytes.h"
#include "linux/fd.h"
#include "linux/page_range.h"
#include "linux/process.h"
#include "linux/smaps.h"
#include "support/fake_fs.h"

namespace kvpsi {
namespace {

using test::FakeFs;

TEST(OwnMemory, ReadsTheFixture) {
  const FakeFs fs = FakeFs::none();
  const auto own = read_own_memory(fs.at("proc"));
  ASSERT_TRUE(own) << describe(own.error());
  EXPECT_EQ(own->anon_bytes, 100 * kMiB);
  EXPECT_EQ(own->file_bytes, 20 * kMiB);
  EXPECT_EQ(own->swap_bytes, 512 * kKiB);
  EXPECT_EQ(hwm_bytes(fs.at("proc")), 300000 * kKiB);
}

TEST(OwnMemory, SaysWhatIsMissingOrMalformed) {
  const FakeFs fs = FakeFs::none().with("proc/self/status", "VmHWM: 1 kB\n");
  EXPECT_EQ(read_own_memory(fs.at("proc")).error().code, ErrorCode::unsupported);
  fs.write("proc/self/status", "nonsense");
  EXPECT_EQ(read_own_memory(fs.at("proc")).error().code, ErrorCode::malformed);
  fs.remove("proc/self/status");
  EXPECT_EQ(hwm_bytes(fs.at("proc")).error().code, ErrorCode::not_found);
}

TEST(OwnMemory, ThePeakStaysAfterARelease) {
  const std::uint64_t before = hwm_bytes().value();
  void* block =
      ::mmap(nullptr, 64 * kMiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memset(block, 1, 64 * kMiB);
  ::munmap(block, 64 * kMiB);
  EXPECT_GE(hwm_bytes().value(), before + 32 * kMiB);
}

TEST(HeapTrim, GivesBackWhatFreeLeftBehind) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer replaces the heap";
#endif
  std::vector<void*> blocks;
  for (int i = 0; i < 16000; ++i) {
    blocks.push_back(std::malloc(4000));
    std::memset(blocks.back(), 1, 4000);
  }
  void* const stopper = std::malloc(4000);  // keeps the top of the heap from shrinking by itself
  std::memset(stopper, 1, 4000);
  for (void* block : blocks) std::free(block);
  const auto trimmed = trim_heap();
  std::free(stopper);
  ASSERT_TRUE(trimmed) << describe(trimmed.error());
  EXPECT_GT(trimmed->bytes_returned(), 40 * kMiB);
}

TEST(Smaps, CountsTheMappingsOfOneFileOnly) {
  SmapsParser parser = SmapsParser::for_file("/models/a b.gguf");
  const char* lines[] = {"55d0-55d1 r--p 00000000 fe:00 1   /models/other.gguf",
                         "Size:   4 kB",
                         "Rss:   4 kB",
                         "7f00-7f10 r--s 00000000 fe:00 2   /models/a b.gguf",
                         "Size:   64 kB",
                         "Rss:   32 kB",
                         "Anonymous:   8 kB",
                         "Swap:   0 kB",
                         "Locked:   16 kB",
                         "VmFlags: rd mr",
                         "7f10-7f20 rw-p 00000000 00:00 0",
                         "Rss:   99 kB"};
  for (const char* line : lines) ASSERT_TRUE(parser.feed(line)) << line;
  const SmapsTotals& totals = parser.totals();
  EXPECT_EQ(totals.mappings, 1u);
  EXPECT_EQ(totals.size_bytes, 64 * kKiB);
  EXPECT_EQ(totals.rss_bytes, 32 * kKiB);
  EXPECT_EQ(totals.anonymous_bytes, 8 * kKiB);
  EXPECT_EQ(totals.locked_bytes, 16 * kKiB);
}

TEST(Smaps, RefusesMalformedLines) {
  SmapsParser parser = SmapsParser::for_range({0x1000, 0x2000});
  ASSERT_TRUE(parser.feed("1800-1900 rw-p 00000000 00:00 0 [heap]"));
  EXPECT_EQ(parser.totals().mappings, 1u);
  EXPECT_EQ(parser.feed("Rss: many kB").error().code, ErrorCode::malformed);
  EXPECT_FALSE(parser.feed("no header and no key"));
  ASSERT_TRUE(parser.feed("2000-3000 rw-p 00000000 00:00 0"));
  EXPECT_EQ(parser.totals().mappings, 1u) << "the range ends before this mapping";
}

TEST(Smaps, SeesAMappedFileAndItsPrivateCopies) {
  const FakeFs fs = FakeFs::none().with("model.bin", std::string(4 * kMiB, 'x'));
  const std::string path = fs.at("model.bin");
  EXPECT_EQ(smaps_of_file(path)->mappings, 0u);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto* data = static_cast<char*>(
      ::mmap(nullptr, 4 * kMiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, fd.get(), 0));
  ASSERT_NE(data, MAP_FAILED);
  data[0] = 'y';
  const auto totals = smaps_of_file(path);
  const auto at = reinterpret_cast<std::uintptr_t>(data);
  const auto same = smaps_of_range({at, at + 4096});
  ::munmap(data, 4 * kMiB);
  ASSERT_TRUE(totals) << describe(totals.error());
  EXPECT_EQ(totals->size_bytes, 4 * kMiB);
  EXPECT_EQ(totals->rss_bytes, 4 * kMiB);
  EXPECT_GE(totals->anonymous_bytes, 4 * kKiB);
  ASSERT_TRUE(same);
  EXPECT_EQ(same->size_bytes, totals->size_bytes);
  EXPECT_EQ(smaps_of_file("/nonexistent").error().code, ErrorCode::not_found);
}

TEST(Smaps, StreamsFilesLargerThanItsBuffer) {
  std::string text;
  for (int i = 1; i <= 3000; ++i) {
    text +=
        std::to_string(i) + "000-" + std::to_string(i) + "fff r--p 0 fe:00 1   /m\nRss:   4 kB\n";
  }
  const FakeFs fs = FakeFs::none().with("proc/self/smaps", text + "Size:   4 kB");
  const auto totals = smaps_of_range({0, UINTPTR_MAX}, fs.at("proc"));
  ASSERT_TRUE(totals) << describe(totals.error());
  EXPECT_EQ(totals->mappings, 3000u);
  EXPECT_EQ(totals->rss_bytes, 3000u * 4 * kKiB);
  EXPECT_EQ(totals->size_bytes, 4 * kKiB) << "the last line has no line feed";
}

TEST(Process, ParsesTheHugePageMode) {
  EXPECT_EQ(parse_thp_mode("always [madvise] never\n"), ThpMode::madvise);
  EXPECT_EQ(parse_thp_mode("[always] madvise never\n"), ThpMode::always);
  EXPECT_EQ(parse_thp_mode("always madvise [never]\n"), ThpMode::never);
  EXPECT_FALSE(parse_thp_mode("always madvise never\n"));
  EXPECT_FALSE(parse_thp_mode(""));
  EXPECT_EQ(read_thp_mode("/nonexistent").error().code, ErrorCode::not_found);
}

TEST(Process, ReadsCapabilities) {
  const FakeFs fs = FakeFs::none();
  EXPECT_EQ(has_cap_sys_resource(fs.at("proc")), false);
  fs.write("proc/self/status", "RssAnon: 1 kB\nCapEff:\t000001ffffffffff\n");
  EXPECT_EQ(has_cap_sys_resource(fs.at("proc")), true);
  fs.write("proc/self/status", "RssAnon: 1 kB\n");
  EXPECT_EQ(has_cap_sys_resource(fs.at("proc")).error().code, ErrorCode::malformed);
}

TEST(Process, FactsLeaveOutWhatIsNotThere) {
  const ProcessFacts here = read_process_facts();
  EXPECT_FALSE(here.kernel_release.empty());
  EXPECT_GE(here.cpus, 1u);
  EXPECT_GT(here.mem_total_bytes.value_or(0), 0u);
  const ProcessFacts nowhere = read_process_facts("/nonexistent", "/nonexistent");
  EXPECT_FALSE(nowhere.mem_total_bytes);
  EXPECT_FALSE(nowhere.thp_mode);
  EXPECT_FALSE(nowhere.cap_sys_resource);
  EXPECT_EQ(nowhere.page_bytes, page_bytes());
}

}  // namespace
}  // namespace kvpsi
