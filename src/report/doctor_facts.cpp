// SPDX-License-Identifier: MIT
// The observing pass of the preflight; see doctor_facts.h.
#include "report/doctor_facts.h"

#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <utility>

#include "base/bytes.h"
#include "bench/group.h"
#include "linux/group_files.h"
#include "linux/kernel_file.h"
#include "linux/meminfo.h"
#include "linux/text_scan.h"
#include "report/program.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kProofMib = 8;

/// A limit file of a group with the usage beside it; empty for no limit or nothing to read.
std::optional<LimitFacts> read_limit(const std::string& dir, const char* limit_file,
                                     const char* usage_file) {
  const std::string file = dir + "/" + limit_file;
  const auto text = read_small_file(file);
  if (!text) return std::nullopt;
  const auto limit = parse_limit(*text);
  if (!limit || !*limit) return std::nullopt;
  LimitFacts facts{dir, file, **limit, std::nullopt};
  if (const auto usage = read_small_file(dir + "/" + usage_file)) {
    if (const auto bytes = parse_counter(*usage)) facts.usage_bytes = *bytes;
  }
  return facts;
}

std::vector<LimitFacts> read_limits(const CgroupLocation& location) {
  std::vector<LimitFacts> limits;
  const auto add = [&](std::optional<LimitFacts> facts) {
    if (facts) limits.push_back(std::move(*facts));
  };
  for (const auto& dir : list_ancestors(location.v1_memory_dir, location.v1_memory_mount)) {
    add(read_limit(dir, "memory.limit_in_bytes", "memory.usage_in_bytes"));
  }
  if (!location.v1_memory_dir.empty()) return limits;
  for (const auto& dir : list_ancestors(location.v2_dir, location.v2_mount)) {
    add(read_limit(dir, "memory.high", "memory.current"));
    add(read_limit(dir, "memory.max", "memory.current"));
  }
  return limits;
}

FolderFacts observe_folder(const std::string& path) {
  FolderFacts facts;
  facts.path = path;
  facts.is_writable = ::access(path.c_str(), W_OK | X_OK) == 0;
  struct statfs info{};
  if (::statfs(path.c_str(), &info) != 0) return facts;
  const auto type = static_cast<unsigned long>(info.f_type);
  facts.is_memory = type == TMPFS_MAGIC || type == RAMFS_MAGIC;
  facts.free_bytes =
      static_cast<std::uint64_t>(info.f_bavail) * static_cast<std::uint64_t>(info.f_bsize);
  return facts;
}

/// Makes a squeezed group as a benchmark does and removes it again.
Result<std::string> try_group(const CgroupLocation& location, const std::string& proc) {
  const auto ops = make_cgroup_ops();
  const OwnGroups own{location.v1_memory_dir, location.v2_dir};
  auto home = GroupHome::find(*ops, own, proc);
  if (!home) return std::unexpected(home.error());
  const auto group_id = group_name(proc);
  if (!group_id) return std::unexpected(group_id.error());
  auto group = BenchGroup::create(*ops, *home, *group_id + "-doctor");
  if (!group) return std::unexpected(group.error());
  if (auto limited = group->set_limit(64 * kMiB); !limited) return std::unexpected(limited.error());
  if (auto removed = group->destroy(); !removed) return std::unexpected(removed.error());
  return home->describe();
}

/// The tool that changes the kernel's command line here, by its file.
BootTool find_boot_tool(const std::string& root) {
  const auto there = [&](const char* path) { return ::access((root + path).c_str(), F_OK) == 0; };
  if (there("/usr/sbin/grubby")) return BootTool::grubby;
  if (there("/usr/sbin/update-grub")) return BootTool::update_grub;
  if (there("/boot/firmware/cmdline.txt")) return BootTool::cmdline_txt;
  return BootTool::unknown;
}

void observe_source(const DoctorOptions& options, DoctorFacts& facts) {
  KernelSourceOptions source_options;
  source_options.paths.roots = options.roots;
  if (const auto source = KernelSource::open(source_options)) {
    facts.source = (*source)->facts();
  } else {
    facts.source_error = describe(source.error());
  }
  facts.limits = read_limits(facts.source.location);
}

void observe_memory(const DoctorOptions& options, DoctorFacts& facts) {
  facts.process = read_process_facts(options.roots.proc, options.sys);
  if (const auto text = read_small_file(options.roots.proc + "/meminfo")) {
    if (const auto meminfo = parse_meminfo(*text)) {
      facts.mem_available_bytes = meminfo->available_bytes;
    }
  }
  if (const auto text = read_small_file(options.roots.proc + "/swaps")) {
    facts.swaps = parse_swaps(*text);
  }
  if (const auto text = read_small_file(options.roots.proc + "/cpuinfo")) {
    facts.cpu = parse_cpu_vectors(*text);
  }
}

}  // namespace

std::vector<SwapFacts> parse_swaps(std::string_view text) {
  std::vector<SwapFacts> swaps;
  bool heading = true;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (std::exchange(heading, false)) continue;
    const std::string_view path = take_word(line);
    take_word(line);  // type
    const std::string_view size = take_word(line);
    const auto kib = parse_u64(size);
    if (path.empty() || !kib) continue;
    swaps.push_back({std::string(path), *kib * kKiB, path.starts_with("/dev/zram")});
  }
  return swaps;
}

CpuVectors parse_cpu_vectors(std::string_view cpuinfo) {
  CpuVectors cpu;
  while (!cpuinfo.empty()) {
    std::string_view line = take_line(cpuinfo);
    if (!line.starts_with("flags")) continue;
    for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
      cpu.avx2 = cpu.avx2 || word == "avx2";
      cpu.avx512 = cpu.avx512 || word == "avx512f";
    }
    break;
  }
  return cpu;
}

DoctorFacts observe_machine(const DoctorOptions& options) {
  DoctorFacts facts;
  observe_memory(options, facts);
  observe_source(options, facts);
  facts.boot_tool = find_boot_tool(options.root);
  facts.n_ctx = options.n_ctx;
  facts.model_path = options.model;
  if (!options.model.empty()) {
    if (auto model = read_gguf_file(options.model)) {
      facts.model = std::move(*model);
    } else {
      facts.model_error = model.error();
    }
  }
  facts.small_pages = prove_pages_return(kProofMib, false);
  if (facts.process.thp_mode && *facts.process.thp_mode != ThpMode::never) {
    facts.huge_pages = prove_pages_return(kProofMib, true);
  }
  facts.gnuplot = find_program("gnuplot", options.search_path);
  facts.folder = observe_folder(options.work_dir);
  if (options.try_groups) facts.groups = try_group(facts.source.location, options.roots.proc);
  return facts;
}

}  // namespace kvpsi
