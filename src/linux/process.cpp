// SPDX-License-Identifier: MIT
// See process.h.
#include "linux/process.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "linux/kernel_file.h"
#include "linux/meminfo.h"
#include "linux/pages.h"
#include "linux/self_stat.h"

namespace kvpsi {
namespace {

Result<SelfStatus> read_self_status(const std::string& proc) {
  const std::string path = proc + "/self/status";
  const auto text = read_small_file(path);
  if (!text) return std::unexpected(text.error());
  auto status = parse_self_status(*text);
  if (!status) return fail(status.error().code, status.error().what, path);
  return status;
}

unsigned count_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  return static_cast<unsigned>(CPU_COUNT(&set));
}

}  // namespace

Result<ThpMode> parse_thp_mode(std::string_view text) {
  for (const ThpMode mode : {ThpMode::never, ThpMode::madvise, ThpMode::always}) {
    if (text.find("[" + std::string(name(mode)) + "]") != std::string_view::npos) return mode;
  }
  return fail(ErrorCode::malformed, "no bracketed mode among always, madvise, never");
}

Result<ThpMode> read_thp_mode(const std::string& sys) {
  const std::string path = sys + "/kernel/mm/transparent_hugepage/enabled";
  const auto text = read_small_file(path);
  if (!text) return std::unexpected(text.error());
  auto mode = parse_thp_mode(*text);
  if (!mode) return fail(mode.error().code, mode.error().what, path);
  return mode;
}

Result<bool> has_cap_sys_resource(const std::string& proc) {
  const auto status = read_self_status(proc);
  if (!status) return std::unexpected(status.error());
  if (!status->capabilities) {
    return fail(ErrorCode::malformed, "has no CapEff line", proc + "/self/status");
  }
  return (*status->capabilities & (1ULL << CAP_SYS_RESOURCE)) != 0;
}

std::optional<std::uint64_t> read_pid_namespace(const std::string& proc) {
  struct stat facts{};
  if (::stat((proc + "/self/ns/pid").c_str(), &facts) != 0) return std::nullopt;
  return facts.st_ino;
}

ProcessFacts read_process_facts(const std::string& proc, const std::string& sys) {
  ProcessFacts facts;
  utsname names{};
  if (::uname(&names) == 0) facts.kernel_release = names.release;
  facts.page_bytes = page_bytes();
  facts.cpus = count_cpus();
  if (const auto status = read_self_status(proc)) {
    facts.locked_bytes = status->locked_bytes;
    if (status->capabilities) {
      facts.cap_sys_resource = (*status->capabilities & (1ULL << CAP_SYS_RESOURCE)) != 0;
    }
  }
  if (const auto mode = read_thp_mode(sys)) facts.thp_mode = *mode;
  if (const auto text = read_small_file(proc + "/meminfo")) {
    if (const auto meminfo = parse_meminfo(*text)) {
      facts.mem_total_bytes = meminfo->total_bytes;
      facts.swap_total_bytes = meminfo->swap_total_bytes;
      facts.swap_free_bytes = meminfo->swap_free_bytes;
    }
  }
  return facts;
}

}  // namespace kvpsi
