// SPDX-License-Identifier: MIT
// Real control groups for tests that must see the kernel at work; skipped where none may be made.
// Removes what it made in any case: children are killed, processes moved back to where they were.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include "linux/cgroup.h"
#include "linux/fd.h"

namespace kvpsi::test {

/// One write as the kernel wants it; false if it is refused.
inline bool write_once(const std::string& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd.is_open() &&
         ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// A group directory below an existing one, removed at the end (once it is empty of processes).
class RealGroup {
 public:
  RealGroup(const std::string& parent, const std::string& name) {
    if (!parent.empty()) dir_ = parent + "/" + name + "-" + std::to_string(::getpid());
    is_made_ = !dir_.empty() && ::mkdir(dir_.c_str(), 0755) == 0;
  }
  ~RealGroup() { remove(); }
  RealGroup(const RealGroup&) = delete;
  RealGroup& operator=(const RealGroup&) = delete;

  bool is_made() const { return is_made_; }
  const std::string& dir() const { return dir_; }
  bool set(const std::string& file, const std::string& text) const {
    return write_once(dir_ + "/" + file, text);
  }
  bool add_self() const { return set("cgroup.procs", "0"); }
  /// Tries for a second: a killed process leaves its group a little later.
  bool remove() {
    for (int tries = 0; is_made_ && tries < 100; ++tries) {
      if (::rmdir(dir_.c_str()) == 0) is_made_ = false;
      if (is_made_) ::usleep(10'000);
    }
    return !is_made_;
  }

 private:
  std::string dir_;
  bool is_made_ = false;
};

/// A forked child that runs `work` until it returns or the object ends; it dies with the test.
class Child {
 public:
  template <class Work>
  explicit Child(Work&& work) : pid_(::fork()) {
    if (pid_ == 0) ::_exit(work());
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t pid() const { return pid_; }
  /// Waits for the child's own end; its exit code, or -1.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

 private:
  pid_t pid_;
};

/// An unlinked file of `bytes` on disk, out of the page cache as far as the kernel agrees.
class ColdFile {
 public:
  explicit ColdFile(std::uint64_t bytes) {
    std::string name = "/var/tmp/kvpsi-cold-XXXXXX";
    fd_.reset(::mkostemp(name.data(), O_CLOEXEC));
    ::unlink(name.c_str());
    const std::string block(1 << 20, 'k');
    for (std::uint64_t at = 0; at < bytes; at += block.size()) {
      if (::write(fd_.get(), block.data(), block.size()) < 0) std::abort();
    }
    ::fdatasync(fd_.get());
    ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
  /// Reads the whole file once.
  void read_all() const {
    static char block[1 << 16];
    for (off_t at = 0;; at += sizeof block) {
      if (::pread(fd_.get(), block, sizeof block, at) <= 0) return;
    }
  }
  /// Walks a mapping of the file over and over, as a forward pass walks its weights, forever.
  /// Beyond a limit that is refault after refault, which the kernel counts as stall.
  [[noreturn]] void thrash(std::uint64_t bytes) const {
    const void* map = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd_.get(), 0);
    if (map == MAP_FAILED) ::_exit(1);
    const auto* pages = static_cast<const volatile char*>(map);
    for (std::uint64_t at = 0;; at = (at + 4096) % bytes) (void)pages[at];
  }

 private:
  UniqueFd fd_;
};

}  // namespace kvpsi::test
