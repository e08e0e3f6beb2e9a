// SPDX-License-Identifier: MIT
// Observations of the preflight: what this machine offers to a governed run, as plain facts without
// an opinion. First of doctor's two passes; an absent fact is empty and, where known, says why.
// Next hop: doctor_findings judges them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/gguf_file.h"
#include "base/result.h"
#include "linux/cgroup.h"
#include "linux/kernel_source.h"
#include "linux/process.h"
#include "linux/scratch_proof.h"

namespace kvpsi {

/// What to look at. Tests and copies of another machine's trees set other roots.
struct DoctorOptions {
  CgroupRoots roots;  ///< procfs and the cgroup tree
  std::string sys = "/sys";
  std::string root;            ///< before /usr and /boot, where boot tools are looked for
  std::string model;           ///< empty: no model is looked at
  std::uint64_t n_ctx = 8192;  ///< context that the KV cache is sized for in words
  std::string work_dir = ".";  ///< where a benchmark would write
  std::string search_path;     ///< $PATH, to find gnuplot
  bool try_groups = true;      ///< create and remove a group; only on the real machine
};

/// One group on the way up that has a limit of its own.
struct LimitFacts {
  std::string dir;
  std::string file;  ///< the limit's file, to be written by who wants it changed
  std::uint64_t limit_bytes = 0;
  std::optional<std::uint64_t> usage_bytes;
};

/// An active swap area.
struct SwapFacts {
  std::string path;
  std::uint64_t size_bytes = 0;
  bool is_zram = false;
};

/// The folder for results and the neighbour's file.
struct FolderFacts {
  std::string path;
  std::optional<std::uint64_t> free_bytes;
  bool is_memory = false;  ///< tmpfs or ramfs: its files are memory themselves
  bool is_writable = false;
};

/// What sets the kernel's command line: advice about boot options depends on it.
enum class BootTool : std::uint8_t { unknown, update_grub, grubby, cmdline_txt };

struct DoctorFacts {
  ProcessFacts process;
  std::optional<std::uint64_t> mem_available_bytes;
  std::vector<SwapFacts> swaps;
  KernelSourceFacts source;
  std::optional<std::string> source_error;  ///< the pressure source did not even open
  std::vector<LimitFacts> limits;           ///< nearest group first
  std::string model_path;                   ///< empty: none was asked for
  std::optional<GgufFile> model;
  std::optional<Error> model_error;
  std::uint64_t n_ctx = 0;
  CpuVectors cpu;
  Result<ScratchProof> small_pages = ScratchProof{};
  std::optional<Result<ScratchProof>> huge_pages;  ///< empty where the kernel gives none
  std::optional<std::string> gnuplot;
  FolderFacts folder;
  BootTool boot_tool = BootTool::unknown;
  std::optional<Result<std::string>> groups;  ///< how a benchmark makes them; empty: not tried
};

/// Looks at everything. Never fails; takes well below a second. Releases a scratch mapping of its
/// own and, with try_groups, makes one group and removes it. Any thread.
DoctorFacts observe_machine(const DoctorOptions& options);

/// Parses /proc/swaps. Lines that are not understood are left out.
std::vector<SwapFacts> parse_swaps(std::string_view text);

/// Finds avx2 and avx512f in the first "flags" line of /proc/cpuinfo.
CpuVectors parse_cpu_vectors(std::string_view cpuinfo);

}  // namespace kvpsi
