// SPDX-License-Identifier: MIT
// See machine_files.h.
#include "linux/machine_files.h"

#include "linux/meminfo.h"
#include "linux/self_stat.h"
#include "linux/vmstat.h"

namespace kvpsi {

MachineFiles::MachineFiles(const MachinePaths& paths)
    : meminfo_(paths.meminfo),
      vmstat_(paths.vmstat),
      self_status_(paths.self_status),
      self_stat_(paths.self_stat) {}

void MachineFiles::read(std::span<char> buffer, Sample& sample) const {
  if (const ReadText got = meminfo_.read(buffer); got.ok()) {
    if (const auto meminfo = parse_meminfo(got.text)) {
      sample.mem_total_bytes = meminfo->total_bytes;
      sample.mem_available_bytes = meminfo->available_bytes;
      sample.swap_free_bytes = meminfo->swap_free_bytes;
    }
  }
  if (const ReadText got = vmstat_.read(buffer); got.ok()) {
    if (const auto vmstat = parse_vmstat(got.text)) {
      sample.system_scan_pages_total = vmstat->scan_pages_total;
      sample.system_swapin_pages_total = vmstat->swapin_pages_total;
    }
  }
  if (const ReadText got = self_status_.read(buffer); got.ok()) {
    if (const auto status = parse_self_status(got.text)) {
      sample.own_anon_bytes = status->rss_anon_bytes.value_or(0);
      sample.own_file_bytes = status->rss_file_bytes.value_or(0);
      sample.own_swap_bytes = status->swap_bytes.value_or(0);
    }
  }
  if (const ReadText got = self_stat_.read(buffer); got.ok()) {
    if (const auto faults = parse_major_faults(got.text)) sample.own_major_faults_total = *faults;
  }
}

}  // namespace kvpsi
