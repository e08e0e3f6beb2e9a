// SPDX-License-Identifier: MIT
// What the fuzz targets of src/linux do with their bytes, and what must hold whatever these are. A
// unit test runs the same functions over the corpus, so that they are exercised without clang.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "linux/group_files.h"
#include "linux/meminfo.h"
#include "linux/mountinfo.h"
#include "linux/pressure_watch.h"
#include "linux/process.h"
#include "linux/psi_parse.h"
#include "linux/self_stat.h"
#include "linux/smaps.h"
#include "linux/stream.h"
#include "linux/text_scan.h"
#include "linux/vmstat.h"

namespace kvpsi::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

/// All lines of a text that the assembler delivers when the text comes in pieces of `size`.
inline std::vector<std::string> assemble(std::string_view text, std::size_t size) {
  std::vector<std::string> lines;
  LineAssembler assembler;
  for (std::size_t at = 0; at < text.size(); at += size) {
    assembler.feed(text.substr(at, size),
                   [&lines](std::string_view line) { lines.emplace_back(line); });
  }
  return lines;
}

/// The whole-file parser accepts exactly what the line parser accepts twice, once of each kind; and
/// a stream's lines do not depend on how it was cut.
inline void try_psi(std::string_view text) {
  const auto file = scan_psi_file(text);
  const auto totals = parse_psi(text);
  require(file.has_value() == totals.has_value());
  if (file) {
    require(totals->some_us_total == file->some.total && totals->full_us_total == file->full.total);
    require(file->some.avg10 >= 0 && file->full.avg300 >= 0);
    std::string_view rest = text;
    require(parse_psi_line(take_line(rest)) && parse_psi_line(take_line(rest)) && rest.empty());
  }
  require(assemble(text, 1) == assemble(text, 7));
  for (const std::string& line : assemble(text, 1000)) {
    require(line.size() <= 255 && line.find('\n') == std::string::npos);
    static_cast<void>(parse_psi_line(line));
  }
}

inline void try_proc_files(std::string_view text) {
  if (const auto meminfo = parse_meminfo(text)) {
    require(meminfo->total_bytes % 1024 == 0);
  }
  if (const auto vmstat = parse_vmstat(text)) {
    const bool has_both =
        find_value(text, "pgscan_direct").value && find_value(text, "pgscan_kswapd").value;
    require(vmstat->scan_pages_total.has_value() == has_both);
  }
  if (const auto status = parse_self_status(text)) {
    require(status->rss_anon_bytes == find_kib(text, "RssAnon").value);
  }
  if (parse_major_faults(text)) require(text.find(')') != std::string_view::npos);
  static_cast<void>(parse_thp_mode(text));
}

inline void try_group_files(std::string_view text) {
  if (const auto limit = parse_limit(text)) require(!*limit || **limit < (1ULL << 62));
  if (const auto counter = parse_counter(text)) require(!text.empty() && text[0] != '-');
  for (const bool is_v1 : {false, true}) static_cast<void>(parse_group_stat(text, is_v1));
  static_cast<void>(parse_group_events(text));
  static_cast<void>(parse_oom_control(text));
}

inline void try_mountinfo(std::string_view text) {
  if (const auto mounts = parse_cgroup_mounts(text)) {
    for (const CgroupMount& mount : *mounts) {
      require(mount.root.starts_with('/') && mount.mount_point.starts_with('/'));
      require(!(mount.is_v2 && mount.has_memory));
    }
  }
  if (const auto groups = parse_process_groups(text)) {
    require(!groups->v2 || groups->v2->starts_with('/'));
    require(!groups->v1_memory || groups->v1_memory->starts_with('/'));
  }
}

/// The first line is the path, the second the base64.
inline void try_pressure_watch(std::string_view text) {
  const std::string_view path = take_line(text);
  const std::string_view base64 = take_line(text);
  if (const auto decoded = decode_base64(base64)) {
    require(base64.size() % 4 == 0 && decoded->size() <= base64.size() / 4 * 3);
  }
  const auto spec = parse_pressure_watch(path, base64);
  if (!spec || !*spec) return;
  const std::string slashed = (*spec)->path + "/";
  require(slashed.starts_with('/') && slashed.find("//") == std::string::npos);
  require(slashed.find("/../") == std::string::npos && slashed.find("/./") == std::string::npos);
  require((*spec)->write_data.size() <= 4096);
}

inline void try_smaps(std::string_view text) {
  SmapsParser all = SmapsParser::for_range({0, UINTPTR_MAX});
  SmapsParser none = SmapsParser::for_file("no\nline");
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (!all.feed(line)) return;
    require(none.feed(line).has_value());
  }
  require(none.totals().size_bytes == 0);
}

}  // namespace kvpsi::fuzz
