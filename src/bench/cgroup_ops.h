// SPDX-License-Identifier: MIT
// The few things that the bench does to control groups, as a port: the real one makes system calls,
// the tests' one imitates the kernel's rules of pure v2, which this kind of machine may not have.
// Next hop: group_home and group.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kvpsi {

class CgroupOps {
 public:
  virtual ~CgroupOps() = default;

  /// Errors of all: not_found, permission, busy, io, with errno.
  virtual Result<void> make_dir(const std::string& path) = 0;
  virtual Result<void> remove_dir(const std::string& path) = 0;
  virtual Result<void> write(const std::string& path, std::string_view text) = 0;
  virtual Result<std::string> read(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
  /// True if a directory can be made in `path`.
  virtual bool is_writable(const std::string& path) = 0;
  /// Names of the directories in `path`; empty where it cannot be read.
  virtual std::vector<std::string> list_dirs(const std::string& path) = 0;
  /// SIGKILL; a process that is gone already is no error.
  virtual void kill_process(pid_t pid) = 0;
  /// Lets the kernel finish what takes it a moment (an exit, an rmdir).
  virtual void pause_ms(unsigned ms) = 0;
};

/// System calls. Stateless.
std::unique_ptr<CgroupOps> make_cgroup_ops();

/// The pids in `dir`/cgroup.procs. A process of another pid namespace shows as 0 there.
std::vector<pid_t> read_pids(CgroupOps& ops, const std::string& dir);

/// Kills what is in `dir` and below (only pids above 1, never the caller), waits until it is empty,
/// and removes all of it, children first. A directory that is not there is fine.
/// Errors: busy, when processes or directories remain after about 3 s.
Result<void> kill_and_remove(CgroupOps& ops, const std::string& dir);

}  // namespace kvpsi
