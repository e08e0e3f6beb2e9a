// SPDX-License-Identifier: MIT
// Small facts about this process and machine that decide what can work: privileges, huge pages,
// swap, kernel. Read once at start and by doctor; a fact that cannot be had is empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kvpsi {

/// The bracketed word of /sys/kernel/mm/transparent_hugepage/enabled.
enum class ThpMode : std::uint8_t { never, madvise, always };

constexpr std::string_view name(ThpMode mode) {
  switch (mode) {
    case ThpMode::never:
      return "never";
    case ThpMode::madvise:
      return "madvise";
    case ThpMode::always:
      return "always";
  }
  return "unknown";
}

/// Parses "always [madvise] never". Errors: malformed.
Result<ThpMode> parse_thp_mode(std::string_view text);

/// Reads the mode. Errors: not_found where the kernel has no THP, permission, io, malformed.
Result<ThpMode> read_thp_mode(const std::string& sys = "/sys");

/// CAP_SYS_RESOURCE is among the effective capabilities: PSI triggers may then have any window.
/// Root in a container usually lacks it. Errors as read_small_file, or malformed.
Result<bool> has_cap_sys_resource(const std::string& proc = "/proc");

/// The inode that names this process's PID namespace; empty where procfs does not tell.
std::optional<std::uint64_t> read_pid_namespace(const std::string& proc = "/proc");

/// All facts at once; what cannot be read is empty.
struct ProcessFacts {
  std::string kernel_release;  ///< as uname -r
  std::uint64_t page_bytes = 0;
  unsigned cpus = 0;  ///< that this process may run on
  std::optional<bool> cap_sys_resource;
  std::optional<ThpMode> thp_mode;
  std::optional<std::uint64_t> mem_total_bytes;
  std::optional<std::uint64_t> swap_total_bytes;
  std::optional<std::uint64_t> swap_free_bytes;
  std::optional<std::uint64_t> locked_bytes;  ///< VmLck of this process
};

/// Never fails. `sys` is where sysfs is mounted. Any thread.
ProcessFacts read_process_facts(const std::string& proc = "/proc", const std::string& sys = "/sys");

}  // namespace kvpsi
