// SPDX-License-Identifier: MIT
// A sparse copy is a copy, and takes memory only for what is not zero.
#include "linux/sparse_copy.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <cstring>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"
#include "linux/pages.h"

namespace kvpsi {
namespace {

/// Anonymous memory that nobody has written to.
class Untouched {
 public:
  explicit Untouched(std::size_t bytes) : bytes_(bytes) {
    memory_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(memory_, MAP_FAILED);
    madvise(memory_, bytes, MADV_NOHUGEPAGE);
  }
  ~Untouched() { munmap(memory_, bytes_); }
  Untouched(const Untouched&) = delete;
  Untouched& operator=(const Untouched&) = delete;
  std::span<std::byte> span() { return {static_cast<std::byte*>(memory_), bytes_}; }
  std::uint64_t resident_bytes() {
    const auto begin = reinterpret_cast<std::uintptr_t>(memory_);
    const std::array<PageRange, 1> pages{PageRange{begin, begin + bytes_}};
    return resident_exclusive_bytes(pages).value_or(0);
  }

 private:
  const std::size_t bytes_;
  void* memory_ = nullptr;
};

TEST(SparseCopy, TakesPagesForWhatIsNotZeroOnly) {
  Untouched from(8 * kMiB);
  Untouched to(8 * kMiB);
  const std::size_t page = page_bytes();
  from.span()[5 * kMiB] = std::byte{7};
  from.span()[7 * kMiB - 1] = std::byte{9};
  copy_sparsely(from.span(), to.span());
  EXPECT_EQ(std::memcmp(from.span().data(), to.span().data(), 8 * kMiB), 0);
  EXPECT_EQ(from.resident_bytes(), 2 * page);
  EXPECT_EQ(to.resident_bytes(), 2 * page);
}

TEST(SparseCopy, WritesZerosOverWhatWasThere) {
  Untouched from(kMiB);
  Untouched to(kMiB);
  std::memset(to.span().data(), 0x55, kMiB);
  copy_sparsely(from.span(), to.span());
  EXPECT_EQ(std::memcmp(from.span().data(), to.span().data(), kMiB), 0);
}

TEST(SparseCopy, IsACopyWhereverItBeginsAndWhateverIsThere) {
  Prng random(5);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::byte> from(64 * kKiB);
    std::vector<std::byte> to(64 * kKiB);
    const auto fill = [&random](std::vector<std::byte>& bytes) {
      const std::size_t begin = random.below(bytes.size());
      const std::size_t end = begin + random.below(bytes.size() - begin);
      for (std::size_t i = begin; i < end; ++i) bytes[i] = static_cast<std::byte>(random.next());
    };
    fill(from);
    fill(to);
    const std::size_t size = random.below(40 * kKiB);
    const std::size_t at_from = random.below(20 * kKiB);
    const std::size_t at_to = random.below(20 * kKiB);
    std::vector<std::byte> expected = to;
    std::memcpy(expected.data() + at_to, from.data() + at_from, size);
    copy_sparsely(std::span(from).subspan(at_from, size), std::span(to).subspan(at_to, size));
    ASSERT_EQ(to, expected) << "round " << round;
  }
}

}  // namespace
}  // namespace kvpsi
