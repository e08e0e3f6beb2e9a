// SPDX-License-Identifier: MIT
// FakeFs: a machine's procfs and cgroup trees in a temporary folder, built in one expression, e.g.
//   const FakeFs fs = FakeFs::v2("/app/engine").with("sys/app/memory.max", "536870912\n");
// Everything is a plain file, so nothing here can prove what a kernel does: real kernels have their
// own tests. The folder is removed with the object.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "linux/cgroup.h"

namespace kvpsi::test {

/// A fixture machine of 8 GiB without swap. Relative paths begin with "proc/" or "sys/", the latter
/// standing for /sys/fs/cgroup.
class FakeFs {
 public:
  /// No cgroup at all, PSI of the system only.
  static FakeFs none() {
    FakeFs fs;
    fs.write_machine("", "22 27 0:21 / /proc rw - proc proc rw\n");
    return fs;
  }

  /// Unified hierarchy at /sys/fs/cgroup; every group of the path exists without a limit.
  static FakeFs v2(const std::string& group = "/app/engine") {
    FakeFs fs;
    fs.write_machine("0::" + group + "\n", mount("/sys/fs/cgroup", "cgroup2", "rw"));
    fs.write_v2_groups("sys", group);
    return fs;
  }

  /// v1 memory hierarchy at /sys/fs/cgroup/memory, no v2.
  static FakeFs v1(const std::string& group = "/docker/abc") {
    FakeFs fs;
    fs.write_machine("4:memory:" + group + "\n1:cpu,cpuacct:/\n",
                     mount("/sys/fs/cgroup/cpu", "cgroup", "rw,cpu,cpuacct") +
                         mount("/sys/fs/cgroup/memory", "cgroup", "rw,memory"));
    fs.write_v1_groups(group);
    return fs;
  }

  /// v1 memory at /sys/fs/cgroup/memory and v2 without controllers at /sys/fs/cgroup/unified.
  static FakeFs hybrid(const std::string& v1_group, const std::string& v2_group) {
    FakeFs fs;
    fs.write_machine("4:memory:" + v1_group + "\n0::" + v2_group + "\n",
                     mount("/sys/fs/cgroup/memory", "cgroup", "rw,memory") +
                         mount("/sys/fs/cgroup/unified", "cgroup2", "rw"));
    fs.write_v1_groups(v1_group);
    fs.write_v2_groups("sys/unified", v2_group);
    return fs;
  }

  FakeFs with(const std::string& path, const std::string& text) && {
    write(path, text);
    return std::move(*this);
  }
  FakeFs without(const std::string& path) && {
    remove(path);
    return std::move(*this);
  }

  /// Writes into the same inode, so that open descriptors see it, as they see a kernel file change.
  void write(const std::string& path, const std::string& text) const {
    const auto full = std::filesystem::path(at(path));
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full, std::ios::binary | std::ios::trunc) << text;
  }
  void remove(const std::string& path) const { std::filesystem::remove_all(at(path)); }
  std::string at(const std::string& path) const { return root_ + "/" + path; }
  CgroupRoots roots() const { return {.proc = at("proc"), .sys = at("sys")}; }

  static std::string psi(unsigned long long some, unsigned long long full) {
    const std::string averages = " avg10=1.50 avg60=0.25 avg300=0.00 total=";
    return "some" + averages + std::to_string(some) + "\nfull" + averages + std::to_string(full) +
           "\n";
  }

  FakeFs(FakeFs&& other) noexcept : root_(std::exchange(other.root_, {})) {}
  FakeFs(const FakeFs&) = delete;
  FakeFs& operator=(const FakeFs&) = delete;
  FakeFs& operator=(FakeFs&&) = delete;
  ~FakeFs() {
    std::error_code ignored;
    if (!root_.empty()) std::filesystem::remove_all(root_, ignored);
  }

 private:
  FakeFs() {
    std::string name = (std::filesystem::temp_directory_path() / "kvpsi-fs-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name;
  }

  static std::string mount(const std::string& point, const std::string& type,
                           const std::string& options) {
    return "35 31 0:32 / " + point + " rw,relatime shared:9 - " + type + " " + type + " " +
           options + "\n";
  }

  void write_machine(const std::string& cgroup, const std::string& mountinfo) const {
    write("proc/self/cgroup", cgroup);
    write("proc/self/mountinfo", "23 27 0:22 / /sys rw,relatime - sysfs sysfs rw\n" + mountinfo);
    write("proc/self/status",
          "Name:\tkvpsi\nVmHWM:\t  300000 kB\nVmLck:\t       0 kB\nRssAnon:\t  102400 kB\n"
          "RssFile:\t   20480 kB\nRssShmem:\t       0 kB\nVmSwap:\t     512 kB\n"
          "CapEff:\t000001fffeffffff\n");
    write("proc/self/stat", "42 (kv psi) x) R 1 1 1 0 -1 4194304 99 0 17 0 1 2 0 0 20 0 1 0 5 6\n");
    write(
        "proc/meminfo",
        "MemTotal:        8388608 kB\nMemFree:         1048576 kB\n"
        "MemAvailable:    4194304 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n");
    write("proc/vmstat",
          "nr_free_pages 1\npswpin 3\npswpout 4\npgscan_kswapd 100\npgscan_direct 11\n"
          "pgscan_direct_throttle 999\n");
    write("proc/pressure/memory", psi(3000, 1000));
  }

  void write_v2_groups(const std::string& mount_dir, const std::string& group) const {
    write(mount_dir + "/memory.pressure", psi(3000, 1000));
    for (std::size_t end = group.find('/', 1); group != "/"; end = group.find('/', end + 1)) {
      const std::string dir = mount_dir + group.substr(0, end);
      write(dir + "/cgroup.events", "populated 1\nfrozen 0\n");
      write(dir + "/memory.pressure", psi(0, 0));
      write(dir + "/memory.max", "max\n");
      write(dir + "/memory.high", "max\n");
      write(dir + "/memory.current", "104857600\n");
      write(dir + "/memory.stat",
            "anon 1\nfile 2\ninactive_file 20971520\nactive_file 10485760\n"
            "workingset_refault_anon 5\nworkingset_refault_file 7\n");
      write(dir + "/memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n");
      write(dir + "/memory.events.local", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n");
      if (end == std::string::npos) break;
    }
  }

  void write_v1_groups(const std::string& group) const {
    for (std::size_t end = 0; end != std::string::npos; end = group.find('/', end + 1)) {
      write_v1_group("sys/memory" + group.substr(0, end));
    }
    if (group != "/") write_v1_group("sys/memory" + group);
  }

  void write_v1_group(const std::string& dir) const {
    write(dir + "/memory.limit_in_bytes", "9223372036854771712\n");
    write(dir + "/memory.usage_in_bytes", "104857600\n");
    write(dir + "/memory.failcnt", "0\n");
    write(dir + "/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
    write(dir + "/memory.stat",
          "active_file 1\ninactive_file 1\ntotal_workingset_refault_anon 5\n"
          "total_workingset_refault_file 7\ntotal_inactive_file 20971520\n"
          "total_active_file 10485760\n");
  }

  std::string root_;
};

}  // namespace kvpsi::test
