// SPDX-License-Identifier: MIT
// O_TMPFILE, or a name that lives for two system calls; see private_file.h.
#include "linux/private_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/clock.h"
#include "linux/kernel_file.h"

namespace kvpsi {
namespace {

constexpr std::string_view kPrefix = "kvpsi-spill-";
constexpr int kFlags = O_RDWR | O_CLOEXEC | O_EXCL;

/// The process in a name kvpsi-spill-PID-*, or 0.
pid_t pid_in(std::string_view name) {
  if (!name.starts_with(kPrefix)) return 0;
  name.remove_prefix(kPrefix.size());
  pid_t pid = 0;
  const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  const bool is_whole = error == std::errc() && stop != name.data() + name.size() && *stop == '-';
  return is_whole ? pid : 0;
}

/// A file of a live process of another container may look dead from here; removing its name early
/// is harmless, since it is about to do that itself.
void remove_left_behind(const std::string& directory) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const pid_t pid = pid_in(entry->path().filename().native());
    if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH) ::unlink(entry->path().c_str());
  }
}

UniqueFd open_named(const std::string& directory, int flags) {
  const std::string name = directory + "/" + std::string(kPrefix) + std::to_string(::getpid()) +
                           "-" + std::to_string(monotonic_us());
  UniqueFd fd(::open(name.c_str(), O_CREAT | kFlags | flags, 0600));
  const int reason = errno;
  // Also after a failure: without O_DIRECT support some file systems leave an empty file.
  ::unlink(name.c_str());
  errno = reason;
  return fd;
}

}  // namespace

Result<PrivateFile> open_private_file(const std::string& directory, SpillIo& io) {
  remove_left_behind(directory);
  int reason = 0;
  for (const int direct : {O_DIRECT, 0}) {
    UniqueFd fd(io.open_unnamed(directory.c_str(), kFlags | direct));
    if (!fd.is_open()) fd = open_named(directory, direct);
    if (fd.is_open()) return PrivateFile{.fd = std::move(fd), .is_direct = direct != 0};
    reason = errno;
  }
  return fail(error_code_of(reason), "cannot make a spill file here; name another directory",
              directory, reason);
}

}  // namespace kvpsi
