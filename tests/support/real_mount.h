// SPDX-License-Identifier: MIT
// Real file systems for tests that must see a real disk fill up or die: a small image on a loop
// device, memory, an overlay. Unmounted with the object; where mounting is not allowed, why() says
// so and the test skips.
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

namespace kvpsi::test {

/// One mount in a fresh directory below `base`. Not movable.
class RealMount {
 public:
  explicit RealMount(const std::string& base) : base_(base + "/mount-XXXXXX") {
    if (::mkdtemp(base_.data()) == nullptr) {
      why_ = "cannot make a mount point";
      base_.clear();
      return;
    }
    ::mkdir(path().c_str(), 0755);
  }
  RealMount(const RealMount&) = delete;
  RealMount& operator=(const RealMount&) = delete;
  ~RealMount() {
    if (is_mounted_) ::umount2(path().c_str(), MNT_DETACH);
    std::error_code ignored;
    if (!base_.empty()) std::filesystem::remove_all(base_, ignored);
  }

  /// Type, source and data as for mount(2).
  bool mount(const std::string& type, const std::string& source, const std::string& data) {
    if (base_.empty()) return false;
    is_mounted_ = ::mount(source.c_str(), path().c_str(), type.c_str(), 0, data.c_str()) == 0;
    if (!is_mounted_) why_ = "cannot mount " + type + ": " + std::strerror(errno);
    return is_mounted_;
  }

  /// A fresh ext4 of that many MiB in an image file.
  bool mount_ext4(int mib) {
    if (base_.empty()) return false;
    const std::string image = base_ + "/image";
    const int fd = ::open(image.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const bool is_sized = fd >= 0 && ::ftruncate(fd, static_cast<off_t>(mib) << 20) == 0;
    if (fd >= 0) ::close(fd);
    const std::string quiet = " >/dev/null 2>&1";
    const bool is_made = is_sized && run("mkfs.ext4 -q -m 0 " + image + quiet);
    is_mounted_ = is_made && run("mount -o loop " + image + " " + path() + quiet);
    if (!is_mounted_) why_ = "no loop device or no mkfs.ext4 for us here (root has them)";
    return is_mounted_;
  }

  bool remount_read_only() {
    return ::mount(nullptr, path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0;
  }

  std::string path() const { return base_ + "/fs"; }
  const std::string& why() const { return why_; }

 private:
  static bool run(const std::string& command) { return std::system(command.c_str()) == 0; }

  std::string base_;
  std::string why_;
  bool is_mounted_ = false;
};

}  // namespace kvpsi::test
