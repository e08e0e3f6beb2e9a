// SPDX-License-Identifier: MIT
// See press_memory.h.
#include "bench/press_memory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "bench/presser.h"
#include "linux/fd.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kBlock = kMiB;

Result<void> refuse_memory_file_system(int fd, const std::string& path) {
  struct statfs facts{};
  if (::fstatfs(fd, &facts) != 0) return fail(ErrorCode::io, "cannot examine", path, errno);
  if (facts.f_type == TMPFS_MAGIC || facts.f_type == RAMFS_MAGIC) {
    return fail(ErrorCode::unsupported,
                "lies on a file system in memory (tmpfs), whose pages cannot be dropped and read "
                "again: name a file or folder on a disk",
                path);
  }
  return {};
}

/// Blocks that differ from each other, so that no file system shares or compresses them away.
void fill_block(std::vector<std::uint64_t>& block, std::uint64_t number) {
  std::uint64_t x = number * 0x9e3779b97f4a7c15ULL + 1;
  for (auto& word : block) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    word = x;
  }
}

Result<void> write_blocks(int fd, std::uint64_t bytes, const std::string& path,
                          const std::function<bool()>& stop) {
  std::vector<std::uint64_t> block(kBlock / sizeof(std::uint64_t));
  for (std::uint64_t at = 0; at < bytes;) {
    if (stop()) return fail(ErrorCode::cancelled, "stopped while making the file", path);
    if (at % kBlock == 0) fill_block(block, at / kBlock);
    const std::uint64_t within = at % kBlock;
    const auto* data = reinterpret_cast<const char*>(block.data()) + within;
    const ssize_t n = ::write(fd, data, std::min(kBlock - within, bytes - at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return fail(errno == ENOSPC ? ErrorCode::exhausted : ErrorCode::io, "cannot write", path,
                  errno);
    }
    at += static_cast<std::uint64_t>(n);
  }
  if (::fsync(fd) != 0) return fail(ErrorCode::io, "cannot flush", path, errno);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  return {};
}

Result<UniqueFd> make_file(const PressOptions& options, const std::function<bool()>& stop) {
  // O_TMPFILE never has a name; file systems without it get one that is removed at once.
  int fd = ::open(options.directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) {
    std::string name = options.directory + "/kvpsi-press-XXXXXX";
    fd = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd >= 0) ::unlink(name.c_str());
  }
  if (fd < 0) return fail(ErrorCode::io, "cannot make a file in", options.directory, errno);
  UniqueFd file(fd);
  if (auto checked = refuse_memory_file_system(fd, options.directory); !checked) {
    return std::unexpected(checked.error());
  }
  if (auto written = write_blocks(fd, options.file_bytes, options.directory, stop); !written) {
    return std::unexpected(written.error());
  }
  return file;
}

Result<UniqueFd> open_file(const PressOptions& options) {
  UniqueFd file(::open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return fail(ErrorCode::not_found, "cannot open", options.file, errno);
  if (auto checked = refuse_memory_file_system(file.get(), options.file); !checked) {
    return std::unexpected(checked.error());
  }
  return file;
}

}  // namespace

Result<AnonMemory> AnonMemory::reserve(std::uint64_t bytes) {
  if (bytes == 0) return AnonMemory(nullptr, 0);
  void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    return fail(ErrorCode::exhausted, "cannot reserve " + format_bytes(bytes), {}, errno);
  }
  // Page by page: a huge page would make the steps coarse and the rounds unlike a program's.
  ::madvise(base, bytes, MADV_NOHUGEPAGE);
  return AnonMemory(static_cast<char*>(base), bytes);
}

AnonMemory::AnonMemory(AnonMemory&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

AnonMemory::~AnonMemory() {
  if (base_ != nullptr) ::munmap(base_, bytes_);
}

void AnonMemory::touch(std::uint64_t from, std::uint64_t bytes) {
  for (std::uint64_t at = from; at < from + bytes; at += kPage) {
    auto* word = reinterpret_cast<volatile std::uint64_t*>(base_ + at);
    *word = *word + 1;
  }
}

Result<FileMemory> FileMemory::open(const PressOptions& options,
                                    const std::function<bool()>& stop) {
  FileMemory memory;
  if (options.file.empty() && options.file_bytes == 0) return memory;
  auto file = options.file.empty() ? make_file(options, stop) : open_file(options);
  if (!file) return std::unexpected(file.error());
  const std::string& path = options.file.empty() ? options.directory : options.file;
  struct stat facts{};
  if (::fstat(file->get(), &facts) != 0) return fail(ErrorCode::io, "cannot examine", path, errno);
  memory.bytes_ = static_cast<std::uint64_t>(facts.st_size);
  if (options.file_bytes > 0) memory.bytes_ = std::min(memory.bytes_, options.file_bytes);
  if (memory.bytes_ == 0) return fail(ErrorCode::invalid_argument, "is empty", path);
  if (options.use_mmap) {
    void* base = ::mmap(nullptr, memory.bytes_, PROT_READ, MAP_SHARED, file->get(), 0);
    if (base == MAP_FAILED) return fail(ErrorCode::io, "cannot map", path, errno);
    memory.mapped_ = static_cast<const char*>(base);
  }
  memory.fd_ = ::dup(file->get());
  return memory;
}

FileMemory::FileMemory(FileMemory&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      mapped_(std::exchange(other.mapped_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

FileMemory::~FileMemory() {
  if (mapped_ != nullptr) ::munmap(const_cast<char*>(mapped_), bytes_);
  if (fd_ >= 0) ::close(fd_);
}

Result<void> FileMemory::read(std::uint64_t from, std::uint64_t bytes) {
  if (mapped_ != nullptr) {
    std::uint64_t sum = 0;
    for (std::uint64_t at = from; at < from + bytes; at += kPage) {
      sum += static_cast<unsigned char>(*static_cast<const volatile char*>(mapped_ + at));
    }
    static_cast<void>(sum);
    return {};
  }
  char buffer[16 * kKiB];
  for (std::uint64_t at = from; at < from + bytes;) {
    const auto wanted = std::min<std::uint64_t>(sizeof buffer, from + bytes - at);
    const ssize_t n = ::pread(fd_, buffer, wanted, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(ErrorCode::io, "cannot read the file part", {}, n < 0 ? errno : 0);
    at += static_cast<std::uint64_t>(n);
  }
  return {};
}

void wait_a_little() {
  const timespec rest{0, 10'000'000};
  ::nanosleep(&rest, nullptr);
}

}  // namespace kvpsi
