// SPDX-License-Identifier: MIT
// How much memory the presser may take: the machine's or, where that is less, the group's. See
// presser.h.
#include <algorithm>
#include <array>

#include "bench/presser.h"
#include "linux/cgroup.h"
#include "linux/group_memory.h"
#include "linux/kernel_file.h"
#include "linux/meminfo.h"

namespace kvpsi {

Result<std::uint64_t> find_available_bytes(const std::string& proc, const std::string& sys_cgroup) {
  const auto text = read_small_file(proc + "/meminfo");
  if (!text) return std::unexpected(text.error());
  const auto meminfo = parse_meminfo(*text);
  if (!meminfo) return std::unexpected(meminfo.error());
  std::uint64_t available = meminfo->available_bytes.value_or(meminfo->total_bytes);
  const auto location = find_cgroup({proc, sys_cgroup});
  if (!location) return available;
  std::array<char, 16384> buffer{};
  const GroupReading group = GroupMemory(*location).read(buffer);
  if (group.limit_bytes && group.usage_bytes) {
    // Page cache in the group makes room, as it does for the machine.
    const std::uint64_t held =
        *group.usage_bytes - std::min(*group.usage_bytes, group.file_bytes.value_or(0));
    available = std::min(available, *group.limit_bytes - std::min(*group.limit_bytes, held));
  }
  return available;
}

}  // namespace kvpsi
