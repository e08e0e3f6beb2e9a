// SPDX-License-Identifier: MIT
// A shared object for LD_PRELOAD that makes a real program's spill file misbehave: transfers that
// fail, come short, are slow, or return a flipped bit. Only descriptors opened with O_TMPFILE are
// touched. Built for tests alone; the program knows nothing of it. Told by $SPILL_FAULTS, e.g.
// "seed=7 write_eio=0.1 read_flip=0.05 slow_us=2000". Next hop: squeeze_plan.h writes that line.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "base/prng.h"

namespace {

std::array<std::atomic<bool>, 1024> is_spill_fd;

bool is_spill(int fd) {
  return fd >= 0 && static_cast<std::size_t>(fd) < is_spill_fd.size() &&
         is_spill_fd[static_cast<std::size_t>(fd)].load(std::memory_order_relaxed);
}

/// The value of `key=` in $SPILL_FAULTS; 0 where it is not named.
double told(const char* key) {
  const char* const line = std::getenv("SPILL_FAULTS");
  const char* const at = line != nullptr ? std::strstr(line, key) : nullptr;
  return at != nullptr ? std::strtod(at + std::strlen(key), nullptr) : 0;
}

bool happens(double chance) {
  static std::mutex mutex;
  static kvpsi::Prng random(static_cast<std::uint64_t>(told("seed=")));
  const std::lock_guard lock(mutex);
  return random.unit() < chance;
}

void be_slow() {
  static const auto pause_us = static_cast<useconds_t>(told("slow_us="));
  if (pause_us > 0) ::usleep(pause_us);
}

/// Half of a transfer, still on the grid that O_DIRECT wants.
size_t half_of(size_t bytes) { return bytes >= 8192 ? bytes / 2 / 4096 * 4096 : bytes; }

int refuse(int error) {
  errno = error;
  return -1;
}

/// The next definition of a function, the C library's.
template <class F>
F* real(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  static auto* const next = real<int(const char*, int, ...)>("open");
  va_list rest;
  va_start(rest, flags);
  const bool has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  const int mode = has_mode ? va_arg(rest, int) : 0;
  va_end(rest);
  const int fd = next(path, flags, mode);
  if (fd >= 0 && static_cast<std::size_t>(fd) < is_spill_fd.size()) {
    is_spill_fd[static_cast<std::size_t>(fd)] = (flags & O_TMPFILE) == O_TMPFILE;
  }
  return fd;
}

ssize_t pwrite(int fd, const void* from, size_t bytes, off_t offset) {
  static auto* const next = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  if (!is_spill(fd)) return next(fd, from, bytes, offset);
  static const double eio = told("write_eio=");
  static const double enospc = told("write_enospc=");
  static const double cut = told("write_short=");
  be_slow();
  if (happens(eio)) return refuse(EIO);
  if (happens(enospc)) return refuse(ENOSPC);
  return next(fd, from, happens(cut) ? half_of(bytes) : bytes, offset);
}

ssize_t pread(int fd, void* into, size_t bytes, off_t offset) {
  static auto* const next = real<ssize_t(int, void*, size_t, off_t)>("pread");
  if (!is_spill(fd)) return next(fd, into, bytes, offset);
  static const double eio = told("read_eio=");
  static const double cut = told("read_short=");
  static const double flip = told("read_flip=");
  be_slow();
  if (happens(eio)) return refuse(EIO);
  const ssize_t done = next(fd, into, happens(cut) ? half_of(bytes) : bytes, offset);
  if (done > 0 && happens(flip)) static_cast<unsigned char*>(into)[done / 3] ^= 0x10;
  return done;
}

int sync_file_range(int fd, off_t offset, off_t bytes, unsigned flags) {
  static auto* const next = real<int(int, off_t, off_t, unsigned)>("sync_file_range");
  static const double eio = told("sync_eio=");
  if (is_spill(fd) && happens(eio)) return refuse(EIO);
  return next(fd, offset, bytes, flags);
}

int fallocate(int fd, int mode, off_t offset, off_t bytes) {
  static auto* const next = real<int(int, int, off_t, off_t)>("fallocate");
  static const double refused = told("punch_refused=");
  if (is_spill(fd) && happens(refused)) return refuse(EOPNOTSUPP);
  return next(fd, mode, offset, bytes);
}

}  // extern "C"
