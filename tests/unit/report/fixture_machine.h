// SPDX-License-Identifier: MIT
// Trees of procfs, sysfs and cgroupfs as other machines have them, written to a temporary folder.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "report/doctor_facts.h"

namespace kvpsi::test {

/// One machine. Starts as: PSI on, cgroup v2 in /app without a limit, no swap, THP madvise, AVX2.
class FixtureMachine {
 public:
  FixtureMachine() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kvpsi_doctor_XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) root_ = pattern;
    write("proc/meminfo",
          "MemTotal: 4000000 kB\nMemFree: 900000 kB\nMemAvailable: 2000000 kB\n"
          "SwapTotal: 0 kB\nSwapFree: 0 kB\n");
    write("proc/vmstat", "pgscan_direct 0\npgscan_kswapd 0\npswpin 0\n");
    write("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n");
    write("proc/cpuinfo", "processor : 0\nflags : fpu sse avx2 bmi2\n");
    write("proc/self/status",
          "Name:\tkvpsi\nVmHWM:\t 9000 kB\nVmLck:\t 0 kB\nRssAnon:\t 2000 kB\nRssFile:\t 3000 kB\n"
          "RssShmem:\t 0 kB\nVmSwap:\t 0 kB\nCapEff:\t0000000000000000\n");
    write("proc/self/stat", "1 (kvpsi) R 0 0 0 0 0 0 0 0 3 0 0 0 0 0 0 0 0 0 100 0 0\n");
    write("proc/pressure/memory", kPressure);
    write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    use_v2();
  }
  ~FixtureMachine() { std::filesystem::remove_all(root_); }
  FixtureMachine(const FixtureMachine&) = delete;
  FixtureMachine& operator=(const FixtureMachine&) = delete;

  void write(const std::string& name, const std::string& text) {
    const auto path = root_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }
  void remove(const std::string& name) { std::filesystem::remove_all(root_ / name); }

  void use_v2() {
    clear_groups();
    write("proc/self/mountinfo", "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    write("proc/self/cgroup", "0::/app\n");
    write("cgroup/app/memory.pressure", kPressure);
    write("cgroup/app/cgroup.events", "populated 1\nfrozen 0\n");
    write("cgroup/app/cgroup.procs", "1\n");
    write("cgroup/app/memory.max", "max\n");
    write("cgroup/app/memory.high", "max\n");
    write("cgroup/app/memory.current", "20000000\n");
    write("cgroup/app/memory.stat", "active_file 1000\ninactive_file 1000\n");
    write("cgroup/app/memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n");
  }
  void use_v1() {
    clear_groups();
    write("proc/self/mountinfo",
          "30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
    write("proc/self/cgroup", "4:memory:/app\n");
    write_v1_memory();
  }
  void use_hybrid() {
    clear_groups();
    write("proc/self/mountinfo",
          "30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
          "31 20 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    write("proc/self/cgroup", "4:memory:/app\n0::/app\n");
    write_v1_memory();
    write("cgroup/unified/app/memory.pressure", kPressure);
    write("cgroup/unified/app/cgroup.events", "populated 1\nfrozen 0\n");
    write("cgroup/unified/app/cgroup.procs", "1\n");
  }

  std::string path(const std::string& name) const { return (root_ / name).string(); }

  DoctorOptions options() const {
    DoctorOptions options;
    options.roots = {path("proc"), path("cgroup")};
    options.sys = path("sys");
    options.root = path("root");
    options.work_dir = "/";
    options.search_path = "/nonexistent";
    options.try_groups = false;
    return options;
  }

  static constexpr const char* kPressure =
      "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
      "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";

 private:
  void clear_groups() { remove("cgroup"); }
  void write_v1_memory() {
    write("cgroup/memory/app/memory.limit_in_bytes", "9223372036854771712\n");
    write("cgroup/memory/app/memory.usage_in_bytes", "20000000\n");
    write("cgroup/memory/app/memory.failcnt", "0\n");
    write("cgroup/memory/app/memory.stat", "total_active_file 0\ntotal_inactive_file 0\n");
    write("cgroup/memory/app/memory.oom_control", "oom_kill_disable 0\noom_kill 0\n");
    write("cgroup/memory/app/cgroup.procs", "1\n");
  }

  std::filesystem::path root_;
};

}  // namespace kvpsi::test
