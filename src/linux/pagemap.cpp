// SPDX-License-Identifier: MIT
// Page map reading in bounded pieces; see pagemap.h.
#include "linux/pagemap.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <optional>

#include "linux/kernel_file.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kPresent = 1ULL << 63;
constexpr std::uint64_t kSwapped = 1ULL << 62;
constexpr std::uint64_t kExclusive = 1ULL << 56;

/// Adds the entries of whole pages to `sum`.
void add_entries(std::span<const std::uint64_t> entries, Residency& sum) {
  std::uint64_t exclusive = 0;
  std::uint64_t present = 0;
  std::uint64_t swapped = 0;
  for (const std::uint64_t entry : entries) {
    const bool is_present = (entry & kPresent) != 0;
    present += is_present;
    exclusive += is_present && (entry & kExclusive) != 0;
    swapped += !is_present && (entry & kSwapped) != 0;
  }
  sum.exclusive_bytes += exclusive * page_bytes();
  sum.present_bytes += present * page_bytes();
  sum.swapped_bytes += swapped * page_bytes();
}

}  // namespace

Result<PageMapReader> PageMapReader::open(const std::string& path) {
  PageMapReader reader;
  reader.fd_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader.fd_.is_open()) {
    return fail(error_code_of(errno),
                "the page map cannot be opened, so released memory cannot "
                "be measured; give the process its own /proc",
                path, errno);
  }
  reader.path_ = path;
  reader.entries_ = std::make_unique<std::uint64_t[]>(kEntries);
  return reader;
}

Result<Residency> PageMapReader::measure(std::span<const PageRange> ranges) {
  const std::uint64_t page = page_bytes();
  Residency sum;
  for (const PageRange& range : ranges) {
    if (range.begin > range.end || (range.begin | range.end) % page != 0) {
      return fail(ErrorCode::invalid_argument, "a range of whole pages is needed", path_);
    }
    std::uint64_t at = range.begin / page;
    const std::uint64_t end = range.end / page;
    while (at < end) {
      const std::size_t count = std::min<std::uint64_t>(kEntries, end - at);
      const ssize_t got = ::pread(fd_.get(), entries_.get(), count * sizeof(std::uint64_t),
                                  static_cast<off_t>(at * sizeof(std::uint64_t)));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail(ErrorCode::io, "cannot be read", path_, errno);
      const std::size_t pages = static_cast<std::size_t>(got) / sizeof(std::uint64_t);
      if (pages == 0) return fail(ErrorCode::io, "ends before the range does", path_);
      add_entries({entries_.get(), pages}, sum);
      at += pages;
    }
  }
  return sum;
}

Result<Residency> measure_residency(std::span<const PageRange> ranges) {
  static std::mutex mutex;
  static std::optional<PageMapReader> reader;
  static pid_t reader_pid = 0;
  const std::lock_guard lock(mutex);
  // A page map opened before a fork shows the parent's memory.
  if (!reader || reader_pid != ::getpid()) {
    auto opened = PageMapReader::open();
    if (!opened) return std::unexpected(opened.error());
    reader = std::move(*opened);
    reader_pid = ::getpid();
  }
  return reader->measure(ranges);
}

Result<std::uint64_t> resident_exclusive_bytes(std::span<const PageRange> ranges) {
  auto sum = measure_residency(ranges);
  if (!sum) return std::unexpected(sum.error());
  return sum->exclusive_bytes;
}

}  // namespace kvpsi
