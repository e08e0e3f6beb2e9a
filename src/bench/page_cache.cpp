// SPDX-License-Identifier: MIT
// See page_cache.h.
#include "bench/page_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/bytes.h"
#include "bench/child.h"
#include "linux/fd.h"

namespace kvpsi {
namespace {

struct OpenFile {
  UniqueFd fd;
  std::uint64_t bytes = 0;
};

Result<OpenFile> open_for_reading(const std::string& path) {
  OpenFile file;
  file.fd.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.fd.is_open()) return fail(ErrorCode::not_found, "cannot open", path, errno);
  struct stat facts{};
  if (::fstat(file.fd.get(), &facts) != 0) {
    return fail(ErrorCode::io, "cannot examine", path, errno);
  }
  file.bytes = static_cast<std::uint64_t>(facts.st_size);
  return file;
}

Result<std::uint64_t> count_cached(const OpenFile& file, const std::string& path) {
  if (file.bytes == 0) return 0;
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  void* base = ::mmap(nullptr, file.bytes, PROT_READ, MAP_SHARED, file.fd.get(), 0);
  if (base == MAP_FAILED) return fail(ErrorCode::io, "cannot map", path, errno);
  std::vector<unsigned char> states((file.bytes + page - 1) / page);
  const int failed = ::mincore(base, file.bytes, states.data());
  const int errno_value = errno;
  ::munmap(base, file.bytes);
  if (failed != 0) return fail(ErrorCode::io, "mincore refuses", path, errno_value);
  const auto pages = std::ranges::count_if(states, [](unsigned char s) { return (s & 1) != 0; });
  return static_cast<std::uint64_t>(pages) * page;
}

}  // namespace

Result<std::uint64_t> cached_bytes(const std::string& path) {
  const auto file = open_for_reading(path);
  if (!file) return std::unexpected(file.error());
  return count_cached(*file, path);
}

Result<void> drop_from_cache(const std::string& path, unsigned patience_ms) {
  constexpr unsigned kPauseMs = 50;
  const auto file = open_for_reading(path);
  if (!file) return std::unexpected(file.error());
  for (unsigned waited = 0;; waited += kPauseMs) {
    // DONTNEED leaves dirty pages: a file that was just copied has them.
    if (waited == 0) ::fdatasync(file->fd.get());
    ::posix_fadvise(file->fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    const auto left = count_cached(*file, path);
    if (!left) return std::unexpected(left.error());
    if (*left == 0) return {};
    if (waited >= patience_ms) {
      return fail(
          ErrorCode::busy,
          fmt::format("{} stay in the page cache: another process maps the file (end it, or "
                      "give --model a copy), or it is not ours to ask about",
                      format_bytes(*left)),
          path);
    }
    sleep_ms(kPauseMs);
  }
}

}  // namespace kvpsi
