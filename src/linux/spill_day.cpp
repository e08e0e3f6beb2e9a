// SPDX-License-Identifier: MIT
// The counting file of spill_day.h.
#include "linux/spill_day.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "linux/kernel_file.h"

namespace kvpsi {
namespace {

constexpr std::size_t kLineBytes = 42;  ///< two numbers of 20 digits, a blank and a line feed

/// Holds the lock on the file for its lifetime. Locks are per open file, so that two stores of one
/// process exclude each other too.
class FileLock {
 public:
  explicit FileLock(int fd) : fd_(fd) {
    while ((errno_ = ::flock(fd_, LOCK_EX) == 0 ? 0 : errno) == EINTR) {
    }
  }
  ~FileLock() { ::flock(fd_, LOCK_UN); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  int errno_value() const { return errno_; }

 private:
  int fd_;
  int errno_ = 0;
};

bool take_number(std::string_view& text, char end, std::uint64_t& value) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto length = static_cast<std::size_t>(stop - text.data());
  if (error != std::errc() || length >= text.size() || text[length] != end) return false;
  text.remove_prefix(length + 1);
  return true;
}

}  // namespace

Error SpillDay::error(ErrorCode code, std::string what, int errno_value) const {
  return Error{code, std::move(what), path_, errno_value};
}

Result<SpillDay> SpillDay::open(const std::string& directory, std::uint64_t daily_bytes) {
  SpillDay spill_day;
  spill_day.path_ = directory + "/" + kSpillDayFile;
  spill_day.daily_bytes_ = daily_bytes;
  const int fd = ::open(spill_day.path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    const int reason = errno;
    return fail(error_code_of(reason), "cannot open the count of bytes spilled today",
                spill_day.path_, reason);
  }
  spill_day.fd_.reset(fd);
  const FileLock lock(fd);
  if (auto looked = spill_day.look(spill_day.known_day_, spill_day.known_bytes_); !looked) {
    return std::unexpected(looked.error());
  }
  return spill_day;
}

Result<void> SpillDay::look(std::uint64_t& day, std::uint64_t& bytes) const {
  std::array<char, kLineBytes + 1> buffer{};
  const ssize_t got = ::pread(fd_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) return std::unexpected(error(ErrorCode::io, "cannot be read", errno));
  day = bytes = 0;
  if (got == 0) return {};
  std::string_view text(buffer.data(), static_cast<std::size_t>(got));
  if (!take_number(text, ' ', day) || !take_number(text, '\n', bytes) || !text.empty()) {
    return std::unexpected(error(ErrorCode::malformed,
                                 "does not say 'DAY BYTES' of what was spilled; remove the file"));
  }
  return {};
}

Result<void> SpillDay::charge(std::uint64_t day, std::uint64_t bytes) {
  const FileLock lock(fd_.get());
  if (lock.errno_value() != 0) {
    return std::unexpected(error(ErrorCode::io, "cannot be locked", lock.errno_value()));
  }
  std::uint64_t stored_day = 0;
  std::uint64_t stored_bytes = 0;
  if (auto looked = look(stored_day, stored_bytes); !looked) return looked;
  known_day_ = day;
  known_bytes_ = stored_day == day ? stored_bytes : 0;
  if (bytes > left_bytes(day)) {
    return std::unexpected(error(ErrorCode::exhausted, "today's " + format_bytes(daily_bytes_) +
                                                           " for spilling are written"));
  }
  std::array<char, kLineBytes + 1> line{};
  const std::uint64_t sum = known_bytes_ + bytes;
  std::snprintf(line.data(), line.size(), "%020llu %020llu\n", static_cast<unsigned long long>(day),
                static_cast<unsigned long long>(sum));
  const ssize_t wrote = ::pwrite(fd_.get(), line.data(), kLineBytes, 0);
  if (wrote != static_cast<ssize_t>(kLineBytes)) {
    return std::unexpected(error(ErrorCode::io, "cannot be written", wrote < 0 ? errno : ENOSPC));
  }
  known_bytes_ = sum;
  return {};
}

std::uint64_t SpillDay::left_bytes(std::uint64_t day) const {
  const std::uint64_t written = day == known_day_ ? known_bytes_ : 0;
  return daily_bytes_ > written ? daily_bytes_ - written : 0;
}

std::uint64_t spill_day_now() { return static_cast<std::uint64_t>(wall_seconds()) / 86'400; }

}  // namespace kvpsi
