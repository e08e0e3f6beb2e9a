// SPDX-License-Identifier: MIT
// System calls on control groups; see cgroup_ops.h.
#include "bench/cgroup_ops.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "linux/fd.h"
#include "linux/kernel_file.h"
#include "linux/text_scan.h"

namespace kvpsi {
namespace {

ErrorCode code_of(int errno_value) {
  return errno_value == EBUSY || errno_value == ENOTEMPTY ? ErrorCode::busy
                                                          : error_code_of(errno_value);
}

class RealCgroupOps : public CgroupOps {
 public:
  Result<void> make_dir(const std::string& path) override {
    if (::mkdir(path.c_str(), 0755) == 0) return {};
    return fail(code_of(errno), "cannot create the control group", path, errno);
  }
  Result<void> remove_dir(const std::string& path) override {
    if (::rmdir(path.c_str()) == 0) return {};
    return fail(code_of(errno), "cannot remove the control group", path, errno);
  }
  Result<void> write(const std::string& path, std::string_view text) override {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.is_open()) return fail(code_of(errno), "cannot open for writing", path, errno);
    if (::write(file.get(), text.data(), text.size()) >= 0) return {};
    return fail(code_of(errno), "refuses '" + std::string(text) + "'", path, errno);
  }
  Result<std::string> read(const std::string& path) override { return read_small_file(path); }
  bool exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }
  bool is_writable(const std::string& path) override {
    return ::access(path.c_str(), W_OK | X_OK) == 0;
  }
  std::vector<std::string> list_dirs(const std::string& path) override {
    std::vector<std::string> names;
    DIR* dir = ::opendir(path.c_str());
    if (dir == nullptr) return names;
    while (const dirent* entry = ::readdir(dir)) {
      if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    }
    ::closedir(dir);
    return names;
  }
  void kill_process(pid_t pid) override { ::kill(pid, SIGKILL); }
  void pause_ms(unsigned ms) override {
    const timespec rest{ms / 1000, static_cast<long>(ms % 1000) * 1'000'000};
    ::nanosleep(&rest, nullptr);
  }
};

/// `dir` and all below it, children before parents.
void collect_tree(CgroupOps& ops, const std::string& dir, std::vector<std::string>& tree) {
  for (const auto& child : ops.list_dirs(dir)) collect_tree(ops, dir + "/" + child, tree);
  tree.push_back(dir);
}

/// Kills all in the tree; false if somebody was there.
bool kill_once(CgroupOps& ops, const std::vector<std::string>& tree) {
  bool empty = true;
  for (const auto& dir : tree) {
    for (const pid_t pid : read_pids(ops, dir)) {
      empty = false;
      // 0 would be the whole process group of the caller, and stands for somebody out of sight.
      if (pid > 1 && pid != ::getpid()) ops.kill_process(pid);
    }
  }
  return empty;
}

}  // namespace

std::unique_ptr<CgroupOps> make_cgroup_ops() { return std::make_unique<RealCgroupOps>(); }

std::vector<pid_t> read_pids(CgroupOps& ops, const std::string& dir) {
  std::vector<pid_t> pids;
  const auto text = ops.read(dir + "/cgroup.procs");
  if (!text) return pids;
  std::string_view rest = *text;
  while (!rest.empty()) {
    if (const auto pid = parse_u64(take_line(rest))) pids.push_back(static_cast<pid_t>(*pid));
  }
  return pids;
}

Result<void> kill_and_remove(CgroupOps& ops, const std::string& dir) {
  constexpr unsigned kTries = 150;
  constexpr unsigned kPauseMs = 20;
  if (!ops.exists(dir)) return {};
  std::vector<std::string> tree;
  collect_tree(ops, dir, tree);
  Result<void> last;
  for (unsigned i = 0; i < kTries; ++i) {
    last = Result<void>();
    if (kill_once(ops, tree)) {
      for (const auto& path : tree) {
        if (auto removed = ops.remove_dir(path); !removed && ops.exists(path)) last = removed;
      }
      if (last) return {};
    } else {
      last = fail(ErrorCode::busy, "processes in the control group do not end", dir);
    }
    ops.pause_ms(kPauseMs);
  }
  return last;
}

}  // namespace kvpsi
