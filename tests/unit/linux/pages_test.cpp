// SPDX-License-Identifier: MIT
// Releasing pages on the real kernel, measured by exclusive pages: small pages, huge pages, locked
// memory, budgets, forks; and the page map over ranges of GiBs.
#include "linux/pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/bytes.h"
#include "linux/process.h"
#include "linux/scratch_proof.h"

namespace kvpsi {
namespace {

/// Private anonymous memory aligned to 2 MiB, small pages unless asked otherwise.
class Region {
 public:
  explicit Region(std::uint64_t bytes, int advice = MADV_NOHUGEPAGE)
      : map_bytes_(bytes + 2 * kMiB), bytes_(bytes) {
    base_ = static_cast<char*>(::mmap(nullptr, map_bytes_, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    const auto at = reinterpret_cast<std::uintptr_t>(base_);
    data_ = base_ + (2 * kMiB - at % (2 * kMiB)) % (2 * kMiB);
    ::madvise(data_, bytes_, advice);
  }
  ~Region() { ::munmap(base_, map_bytes_); }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  char* data() { return data_; }
  void touch() { std::memset(data_, 7, bytes_); }
  PageRange range(std::uint64_t from = 0, std::uint64_t to = UINT64_MAX) const {
    const auto at = reinterpret_cast<std::uintptr_t>(data_);
    return {at + from, at + std::min(to, bytes_)};
  }
  std::uint64_t resident() const { return resident(range()); }
  static std::uint64_t resident(const PageRange& range) {
    return resident_exclusive_bytes({&range, 1}).value();
  }

 private:
  std::uint64_t map_bytes_;
  std::uint64_t bytes_;
  char* base_;
  char* data_;
};

Result<ReleaseResult> release(const PageRange& range, std::uint64_t budget_us = 0) {
  return release_pages({&range, 1}, budget_us);
}

TEST(Pages, RoundsInwards) {
  const std::uint64_t p = page_bytes();
  EXPECT_EQ(round_inwards(1, 3 * p - 1), (PageRange{p, 2 * p}));
  EXPECT_EQ(round_inwards(p, 3 * p), (PageRange{p, 3 * p}));
  EXPECT_EQ(round_inwards(1, p - 1).bytes(), 0u);
  EXPECT_EQ(round_inwards(p + 1, 2 * p - 1).bytes(), 0u);
  EXPECT_EQ(round_inwards(UINTPTR_MAX - 5, UINTPTR_MAX).bytes(), 0u);
}

TEST(Pages, ResidentBytesReallyFall) {
  Region region(16 * kMiB);
  region.touch();
  ASSERT_EQ(region.resident(), 16 * kMiB);
  const std::uint64_t anon_before = read_own_memory()->anon_bytes;
  const auto released = release(region.range(4 * kMiB, 12 * kMiB));
  ASSERT_TRUE(released);
  EXPECT_EQ(released->bytes_advised, 8 * kMiB);
  EXPECT_TRUE(released->is_complete());
  EXPECT_EQ(released->ranges_done, 1u);
  EXPECT_EQ(region.resident(), 8 * kMiB);
  EXPECT_GE(anon_before - read_own_memory()->anon_bytes, 7 * kMiB);
  EXPECT_EQ(region.data()[4 * kMiB - 1], 7) << "the neighbouring page is kept";
  EXPECT_EQ(region.data()[4 * kMiB], 0);
  EXPECT_EQ(region.data()[12 * kMiB], 7);
}

TEST(Pages, AReleasedPageThatIsOnlyReadStaysAway) {
  Region region(4 * kMiB);
  region.touch();
  ASSERT_TRUE(release(region.range()));
  unsigned sum = 0;
  for (std::uint64_t at = 0; at < 4 * kMiB; at += page_bytes()) {
    sum += static_cast<unsigned char>(*static_cast<volatile char*>(region.data() + at));
  }
  EXPECT_EQ(sum, 0u);
  const PageRange range = region.range();
  const auto residency = measure_residency({&range, 1});
  ASSERT_TRUE(residency);
  EXPECT_EQ(residency->exclusive_bytes, 0u);
  EXPECT_EQ(residency->present_bytes, 4 * kMiB) << "the shared zero page is present, not ours";
}

TEST(Pages, HugePagesComeBackWhole) {
  if (read_thp_mode().value_or(ThpMode::never) == ThpMode::never) {
    GTEST_SKIP() << "this kernel makes no transparent huge pages";
  }
  Region region(16 * kMiB, MADV_HUGEPAGE);
  region.touch();
  ASSERT_EQ(region.resident(), 16 * kMiB);
  const std::uint64_t anon_before = read_own_memory()->anon_bytes;
  ASSERT_TRUE(release(region.range(0, 8 * kMiB)));
  EXPECT_EQ(region.resident(), 8 * kMiB);
  EXPECT_GE(anon_before - read_own_memory()->anon_bytes, 7 * kMiB);
}

TEST(Pages, AHoleInAHugePageIsNotFilledAgainOnceForbidden) {
  if (read_thp_mode().value_or(ThpMode::never) == ThpMode::never) {
    GTEST_SKIP() << "this kernel makes no transparent huge pages";
  }
  Region region(2 * kMiB, MADV_HUGEPAGE);
  const PageRange all = region.range();
  region.data()[0] = 1;
  const bool got_huge_page = region.resident() == 2 * kMiB;
  ASSERT_TRUE(forbid_huge_pages({&all, 1}));
  ASSERT_TRUE(release(all));
  EXPECT_EQ(region.resident(), 0u);
  region.data()[0] = 1;
  EXPECT_EQ(region.resident(), page_bytes()) << "huge before: " << got_huge_page;
}

TEST(Pages, ABudgetStopsAndTellsWhereToGoOn) {
  Region region(64 * kMiB);
  region.touch();
  std::vector<PageRange> ranges = {region.range(0, 40 * kMiB), region.range(40 * kMiB)};
  std::uint64_t advised = 0;
  int calls = 0;
  for (bool is_complete = false; !is_complete; ++calls) {
    const auto part = release_pages(ranges, 1);
    ASSERT_TRUE(part);
    ASSERT_GT(part->bytes_advised, 0u) << "each call gets on, whatever its budget";
    advised += part->bytes_advised;
    is_complete = part->is_complete();
    if (is_complete) break;
    ranges.erase(ranges.begin(), ranges.begin() + static_cast<std::ptrdiff_t>(part->ranges_done));
    ranges.front().begin = part->resume_at;
  }
  EXPECT_GT(calls, 1);
  EXPECT_EQ(advised, 64 * kMiB);
  EXPECT_EQ(region.resident(), 0u);
}

TEST(Pages, LockedMemoryIsRefusedAndTheNextRangeStillDone) {
  Region region(4 * kMiB);
  region.touch();
  // The bare system call: sanitizers turn mlock into nothing.
  if (::syscall(SYS_mlock, region.data(), kMiB) != 0)
    GTEST_SKIP() << "no memory may be locked here";
  const PageRange ranges[] = {region.range(0, kMiB), region.range(2 * kMiB, 4 * kMiB)};
  const auto released = release_pages(ranges, 0);
  ::syscall(SYS_munlock, region.data(), kMiB);
  ASSERT_TRUE(released);
  EXPECT_EQ(released->ranges_failed, 1u);
  EXPECT_EQ(released->first_errno, EINVAL);
  EXPECT_EQ(released->ranges_done, 2u);
  EXPECT_EQ(released->bytes_advised, 2 * kMiB);
  EXPECT_EQ(region.data()[0], 7);
}

TEST(Pages, UnalignedRangesAreRefusedUntouched) {
  Region region(kMiB);
  region.touch();
  PageRange off = region.range();
  ++off.begin;
  for (const PageRange& bad : {off, PageRange{off.end, off.end - page_bytes()}}) {
    const auto released = release(bad);
    ASSERT_FALSE(released);
    EXPECT_EQ(released.error().code, ErrorCode::invalid_argument);
    EXPECT_FALSE(measure_residency({&bad, 1}));
    EXPECT_FALSE(set_dont_fork({&bad, 1}));
  }
  EXPECT_EQ(region.resident(), kMiB);
  EXPECT_TRUE(release_pages({}, 0)->is_complete());
}

/// Forks, runs `check` in the child and returns its exit code.
template <class Check>
int run_in_child(Check&& check) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Pages, DontForkKeepsTheRangeOutOfAChild) {
  Region region(kMiB);
  region.touch();
  const PageRange range = region.range();
  const auto is_mapped = [&] {
    unsigned char in_core[256];
    return ::mincore(region.data(), kMiB, in_core) == 0 ? 1 : 0;
  };
  EXPECT_EQ(run_in_child(is_mapped), 1);
  ASSERT_TRUE(set_dont_fork({&range, 1}));
  EXPECT_EQ(run_in_child(is_mapped), 0);
  EXPECT_EQ(region.resident(), kMiB);
}

TEST(Pages, AChildMeasuresItselfAndNotItsParent) {
  Region region(kMiB);
  region.touch();
  ASSERT_EQ(region.resident(), kMiB);  // opens the reader before the fork
  const int code = run_in_child([&] {
    if (!release(region.range())) return 2;
    return region.resident() == 0 ? 0 : 1;
  });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(region.resident(), kMiB);
}

TEST(PageMap, MeasuresRangesOfGiBsInABoundedBuffer) {
  Region region(4 * kGiB);
  for (const std::uint64_t at : {std::uint64_t{0}, kGiB, 3 * kGiB + 4096, 4 * kGiB - 4096}) {
    region.data()[at] = 1;
  }
  EXPECT_EQ(region.resident(), 4 * page_bytes());
  const PageRange parts[] = {region.range(0, 2 * kGiB), region.range(2 * kGiB)};
  EXPECT_EQ(resident_exclusive_bytes(parts), 4 * page_bytes());
}

TEST(PageMap, SaysWhyItCannotBeOpened) {
  const auto reader = PageMapReader::open("/nonexistent/pagemap");
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, ErrorCode::not_found);
  EXPECT_EQ(reader.error().path, "/nonexistent/pagemap");
  auto short_map = PageMapReader::open("/dev/null");
  ASSERT_TRUE(short_map);
  const PageRange range{0, page_bytes()};
  EXPECT_EQ(short_map->measure({&range, 1}).error().code, ErrorCode::io);
}

TEST(ScratchProof, HoldsOnThisMachine) {
  for (const bool huge : {false, true}) {
    const auto proof = prove_pages_return(8, huge);
    ASSERT_TRUE(proof) << describe(proof.error());
    EXPECT_TRUE(proof->ok);
    EXPECT_TRUE(proof->reads_zero);
    EXPECT_GT(proof->bytes_returned, 7 * kMiB);
    EXPECT_EQ(proof->resident_after_bytes, 0u);
  }
  EXPECT_FALSE(prove_pages_return(0));
  EXPECT_FALSE(prove_pages_return(5000));
}

}  // namespace
}  // namespace kvpsi
