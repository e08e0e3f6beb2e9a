// SPDX-License-Identifier: MIT
// The questions of spill_place.h, cheapest first.
#include "linux/spill_place.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "linux/block_device.h"
#include "linux/fd.h"
#include "linux/kernel_file.h"
#include "linux/mountinfo.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kLeastRoomBytes = 64 * kMiB;
constexpr const char* kNameAnother = "; name a directory on a disk";

bool is_in_memory(const std::string& path) {
  struct statfs status{};
  if (::statfs(path.c_str(), &status) != 0) return false;
  return status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC ||
         status.f_type == HUGETLBFS_MAGIC;
}

dev_t device_of(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_dev : 0;
}

/// The block device a mount names as its source; 0 where it names none.
dev_t source_device(const Mount& mount) {
  struct stat status{};
  const bool is_device = mount.source.starts_with('/') &&
                         ::stat(mount.source.c_str(), &status) == 0 && S_ISBLK(status.st_mode);
  return is_device ? status.st_rdev : 0;
}

Result<void> check_disks(const std::string& directory, const SpillPlaceRules& rules, dev_t device) {
  for (const std::string& disk : disks_below(rules.sys, device)) {
    if (disk.starts_with("zram") || disk.starts_with("ram")) {
      return fail(
          ErrorCode::unsupported,
          "lies on " + disk + ", which is memory, so spilling to it frees nothing" + kNameAnother,
          directory);
    }
    if (disk.starts_with("mmcblk") && !rules.allow_flash) {
      return fail(ErrorCode::unsupported,
                  "lies on " + disk +
                      ", an eMMC or SD card that spilling would wear out; name a directory on "
                      "another disk, or allow flash, best with a daily limit",
                  directory);
    }
  }
  return {};
}

/// Memory and flash, also below overlays and file systems that hide their device.
Result<void> check_medium(const std::string& directory, const SpillPlaceRules& rules) {
  const std::string in_memory = "is in memory (tmpfs), so spilling to it frees nothing";
  if (is_in_memory(directory)) {
    return fail(ErrorCode::unsupported, in_memory + kNameAnother, directory);
  }
  if (auto checked = check_disks(directory, rules, device_of(directory)); !checked) return checked;
  std::error_code error;
  const std::string real = std::filesystem::canonical(directory, error).string();
  const auto text = read_small_file(rules.mountinfo);
  const auto mounts = text ? parse_mounts(*text) : std::vector<Mount>{};
  const Mount* mount = mounts ? mount_of(*mounts, real) : nullptr;
  if (mount == nullptr) return {};
  const auto upper =
      mount->type == "overlay" ? mount_option(mount->super_options, "upperdir") : std::nullopt;
  if (!upper) return check_disks(directory, rules, source_device(*mount));
  if (is_in_memory(*upper)) {
    return fail(ErrorCode::unsupported, "is an overlay that " + in_memory + kNameAnother,
                directory);
  }
  return check_disks(directory, rules, device_of(*upper));
}

Result<void> check_access(const std::string& directory) {
  struct stat status{};
  if (::stat(directory.c_str(), &status) != 0) {
    const int reason = errno;
    return fail(error_code_of(reason),
                reason == ENOENT ? "does not exist; create it or name another spill directory"
                                 : "cannot be used for spilling",
                directory, reason == ENOENT ? 0 : reason);
  }
  if (!S_ISDIR(status.st_mode)) {
    return fail(ErrorCode::invalid_argument, "is not a directory; name one to spill to", directory);
  }
  struct statvfs volume{};
  const bool is_known = ::statvfs(directory.c_str(), &volume) == 0;
  if (is_known && (volume.f_flag & ST_RDONLY) != 0) {
    return fail(ErrorCode::permission,
                "is mounted read-only; remount it or name another spill directory", directory);
  }
  if (::faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    return fail(ErrorCode::permission,
                "is not writable for this user; change its mode or name another spill directory",
                directory);
  }
  return {};
}

Result<void> check_room(const std::string& directory, const SpillPlaceRules& rules, SpillIo& io) {
  const UniqueFd fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto disk = io.disk_space(fd.get());
  if (!disk) return {};
  const std::uint64_t keep = rules.keep_free_bytes.value_or(keep_free_of(*disk));
  if (disk->free_bytes >= keep + kLeastRoomBytes) return {};
  return fail(ErrorCode::exhausted,
              "has " + format_bytes(disk->free_bytes) + " free, of which " + format_bytes(keep) +
                  " stay free; make room or name a directory on another disk",
              directory);
}

std::string cache_directory() {
  const auto variable = [](const char* name) {
    const char* const text = std::getenv(name);
    return std::string(text == nullptr ? "" : text);
  };
  if (const std::string cache = variable("XDG_CACHE_HOME"); cache.starts_with('/')) {
    return cache + "/kvpsi";
  }
  const std::string home = variable("HOME");
  return home.empty() ? "" : home + "/.cache/kvpsi";
}

}  // namespace

std::uint64_t keep_free_of(const DiskSpace& disk) { return std::min(kGiB, disk.total_bytes / 20); }

Result<void> check_spill_directory(const std::string& directory, const SpillPlaceRules& rules,
                                   SpillIo& io) {
  if (auto checked = check_access(directory); !checked) return checked;
  if (auto checked = check_medium(directory, rules); !checked) return checked;
  return check_room(directory, rules, io);
}

Result<std::string> choose_spill_directory(std::span<const std::string> candidates,
                                           const SpillPlaceRules& rules) {
  std::string reasons;
  for (const std::string& candidate : candidates) {
    if (candidate.empty()) continue;
    const auto checked = check_spill_directory(candidate, rules);
    if (checked) return candidate;
    // Only the finding: what to do about it is said once.
    const std::string why = describe(checked.error());
    reasons += (reasons.empty() ? "" : ", ") + why.substr(0, why.find(';'));
  }
  if (reasons.empty()) reasons = "no directory is known";
  return fail(ErrorCode::not_found, "no directory will do for spilling: " + reasons + kNameAnother);
}

Result<std::string> default_spill_directory(const SpillPlaceRules& rules) {
  const char* const temporary = std::getenv("TMPDIR");
  const std::array<std::string, 3> candidates{temporary == nullptr ? "" : temporary, "/var/tmp",
                                              cache_directory()};
  const std::span all(candidates);
  if (auto chosen = choose_spill_directory(all.first(2), rules)) return chosen;
  // Where its parent is missing or not ours, the check below says so.
  if (!candidates[2].empty()) ::mkdir(candidates[2].c_str(), 0700);
  return choose_spill_directory(all, rules);
}

}  // namespace kvpsi
