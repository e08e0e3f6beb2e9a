// SPDX-License-Identifier: MIT
// The judging pass of the preflight: the machine; see doctor_findings.h. The model's part is in
// doctor_model.cpp.
#include "report/doctor_findings.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/bytes.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kLeastRoomBytes = 64 * kMiB;   // below it, reclaim never ends
constexpr std::uint64_t kLeastDiskBytes = 512 * kMiB;  // results and the neighbour's file

Finding good(std::string id, std::string what) {
  return {std::move(id), Weight::good, std::move(what), ""};
}

Finding note(std::string id, std::string what) {
  return {std::move(id), Weight::note, std::move(what), ""};
}

/// Adds a word to the kernel's command line; where nobody knows how, shows what it is now.
std::string boot_command(BootTool tool, std::string_view word) {
  switch (tool) {
    case BootTool::grubby:
      return fmt::format("sudo grubby --update-kernel=ALL --args={} && sudo reboot", word);
    case BootTool::update_grub:
      return fmt::format(
          "sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&{} /' /etc/default/grub && sudo "
          "update-grub && sudo reboot",
          word);
    case BootTool::cmdline_txt:
      return fmt::format("sudo sed -i '1s/$/ {}/' /boot/firmware/cmdline.txt && sudo reboot", word);
    case BootTool::unknown:
      break;
  }
  return fmt::format("cat /proc/cmdline  # boot with {} added to it", word);
}

Finding judge_psi(const DoctorFacts& facts) {
  const KernelSourceFacts& source = facts.source;
  if (facts.source_error) {
    return {"psi", Weight::missing, "the pressure source does not open: " + *facts.source_error,
            "cat /proc/pressure/memory"};
  }
  if (!source.own.is_present && !source.system.is_present) {
    return {"psi", Weight::missing,
            fmt::format("no pressure stall information ({}): kvpsi would act on headroom and "
                        "--kv-max alone",
                        source.system.reason.empty() ? "absent" : source.system.reason),
            boot_command(facts.boot_tool, "psi=1")};
  }
  if (source.own.is_present) return good("psi", "pressure of the own group: " + source.own.path);
  // In the root group the machine's pressure is the own one; judge_cgroup says what that means.
  if (source.location.v2_is_root) return good("psi", "pressure: " + source.system.path);
  return note(
      "psi",
      fmt::format("only the machine's pressure ({}); none of an own group ({}): stall of "
                  "others looks like ours until reclaim tells them apart",
                  source.system.path, source.own.reason.empty() ? "absent" : source.own.reason));
}

Finding judge_triggers(const DoctorFacts& facts) {
  const KernelSourceFacts& source = facts.source;
  const PsiInputFacts& input = source.own.is_present ? source.own : source.system;
  if (input.granted.empty()) {
    return note("triggers",
                fmt::format("no trigger is granted ({}); kvpsi reads the counters by time, which "
                            "costs 2 us a read",
                            input.reason.empty() ? "not a kernel file" : input.reason));
  }
  if (input.is_privileged) return good("triggers", "triggers granted: " + input.granted);
  return note("triggers",
              fmt::format("triggers granted: {}; shorter windows need CAP_SYS_RESOURCE, but the "
                          "counters are read at least every 500 ms anyway",
                          input.granted));
}

Finding judge_cgroup(const DoctorFacts& facts) {
  const CgroupLocation& location = facts.source.location;
  const std::string kind(name(location.kind));
  switch (location.kind) {
    case CgroupKind::none:
      return note("cgroup", "no cgroup is visible: only the machine's memory counts");
    case CgroupKind::v1:
      return {"cgroup", Weight::advice,
              "cgroup v1: limits are seen, but it has no pressure file of the own group",
              boot_command(facts.boot_tool, "systemd.unified_cgroup_hierarchy=1")};
    case CgroupKind::v2:
    case CgroupKind::hybrid:
      break;
  }
  if (location.v2_is_root) {
    return {"cgroup", Weight::advice,
            fmt::format("cgroup {}: this process is in the root group, whose pressure is the whole "
                        "machine's",
                        kind),
            fmt::format("sudo mkdir -p {0}/kvpsi && echo $$ | sudo tee {0}/kvpsi/cgroup.procs",
                        location.v2_mount)};
  }
  return good("cgroup",
              fmt::format("cgroup {}: {}", kind,
                          location.v2_dir.empty() ? location.v1_memory_dir : location.v2_dir));
}

std::uint64_t room_of(const LimitFacts& limit) {
  const std::uint64_t usage = limit.usage_bytes.value_or(0);
  return limit.limit_bytes > usage ? limit.limit_bytes - usage : 0;
}

Finding judge_limit(const DoctorFacts& facts) {
  if (facts.limits.empty()) return good("limit", "no memory limit on the way up");
  const auto tightest = std::ranges::min_element(facts.limits, {}, room_of);
  const std::string what = fmt::format(
      "the tightest of {} limit{} is {} in {}, {} in use", facts.limits.size(),
      facts.limits.size() == 1 ? "" : "s", format_bytes(tightest->limit_bytes), tightest->dir,
      tightest->usage_bytes ? format_bytes(*tightest->usage_bytes) : "unknown bytes");
  if (room_of(*tightest) >= kLeastRoomBytes) return good("limit", what);
  return {"limit", Weight::advice,
          what + ": that leaves less than " + format_bytes(kLeastRoomBytes) +
              " before anything is loaded",
          fmt::format("echo {} | sudo tee {}", tightest->limit_bytes + kGiB, tightest->file)};
}

Finding judge_memory(const DoctorFacts& facts) {
  if (!facts.process.mem_total_bytes || !facts.mem_available_bytes) {
    return {"memory", Weight::missing, "the machine does not tell how much memory is available",
            "mount -t proc proc /proc"};
  }
  const std::string what =
      fmt::format("{} of {} are available", format_bytes(*facts.mem_available_bytes),
                  format_bytes(*facts.process.mem_total_bytes));
  if (*facts.mem_available_bytes >= kLeastRoomBytes) return good("memory", what);
  return {"memory", Weight::advice, what + ": the machine is full before anything is loaded",
          "ps -eo rss,pid,comm --sort=-rss | head"};
}

Finding judge_swap(const DoctorFacts& facts) {
  if (facts.swaps.empty()) {
    return note("swap",
                "no swap: pressure shows late, so kvpsi also watches how fast headroom shrinks");
  }
  std::uint64_t total = 0;
  bool zram = false;
  for (const SwapFacts& swap : facts.swaps) {
    total += swap.size_bytes;
    zram = zram || swap.is_zram;
  }
  if (zram) {
    return note("swap", fmt::format("{} of swap with zram: a KV cache of f16 hardly compresses "
                                    "(1.00 to 1.10 times), so zram is no room for it",
                                    format_bytes(total)));
  }
  return good("swap", format_bytes(total) + " of swap");
}

Finding judge_thp(const DoctorFacts& facts) {
  if (!facts.process.thp_mode) return note("thp", "this kernel has no transparent huge pages");
  if (*facts.process.thp_mode != ThpMode::always) {
    return good("thp", fmt::format("transparent huge pages: {}", name(*facts.process.thp_mode)));
  }
  return {"thp", Weight::advice,
          "transparent huge pages: always; kvpsi exempts the KV cache, other memory still grows in "
          "steps of 2 MiB",
          "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"};
}

std::string describe_proof(const ScratchProof& proof) {
  return fmt::format("{} of {} came back in {:.1f} ms", format_bytes(proof.bytes_returned),
                     format_bytes(proof.resident_before_bytes),
                     static_cast<double>(proof.release_us) / 1000);
}

Finding judge_release(const DoctorFacts& facts) {
  constexpr const char* kLook = "uname -r; grep -i vmflags /proc/self/smaps | head -3";
  if (!facts.small_pages) {
    return {"release", Weight::missing,
            "pages cannot be released or counted: " + describe(facts.small_pages.error()), kLook};
  }
  if (!facts.small_pages->ok) {
    return {"release", Weight::missing,
            "released pages do not come back on this kernel: " + describe_proof(*facts.small_pages),
            kLook};
  }
  std::string what = "pages come back: " + describe_proof(*facts.small_pages);
  if (!facts.huge_pages) return good("release", what);
  const Result<ScratchProof>& huge = *facts.huge_pages;
  if (huge && huge->ok) {
    return good("release", what + fmt::format("; with huge pages {:.1f} ms",
                                              static_cast<double>(huge->release_us) / 1000));
  }
  return note("release", what +
                             "; huge pages do not all come back, so kvpsi forbids them for the "
                             "KV cache");
}

Finding judge_flash_attention() {
  return note("flash-attn",
              "leave --flash-attn at auto or on: with off, V rows lie across pages and only K "
              "pages come back");
}

Finding judge_groups(const DoctorFacts& facts) {
  if (!facts.groups) return note("groups", "making groups was not tried");
  if (*facts.groups) return good("groups", "the benchmark can make its groups: " + **facts.groups);
  return {"groups", Weight::advice,
          "the benchmark cannot make its groups: " + describe(facts.groups->error()),
          "sudo kvpsi bench, or kvpsi bench --scope system"};
}

Finding judge_folder(const DoctorFacts& facts) {
  const FolderFacts& folder = facts.folder;
  if (!folder.is_writable) {
    return {
        "folder", Weight::advice,
        fmt::format("{} is not writable: a benchmark has nowhere to put its results", folder.path),
        "kvpsi bench --out-dir \"$HOME/kvpsi-out\""};
  }
  if (folder.is_memory) {
    return {"folder", Weight::advice,
            fmt::format("{} lies in memory (tmpfs): files written there take what is to be saved",
                        folder.path),
            "cd /var/tmp"};
  }
  const std::uint64_t free_bytes = folder.free_bytes.value_or(0);
  if (free_bytes < kLeastDiskBytes) {
    return {"folder", Weight::advice,
            fmt::format("{} has {} free, a benchmark wants {}", folder.path,
                        format_bytes(free_bytes), format_bytes(kLeastDiskBytes)),
            "df -h ."};
  }
  return good("folder", fmt::format("{}: {} free on disk", folder.path, format_bytes(free_bytes)));
}

Finding judge_gnuplot(const DoctorFacts& facts) {
  if (facts.gnuplot) return good("gnuplot", "plots: " + *facts.gnuplot);
  return {"gnuplot", Weight::advice, "gnuplot is not installed: results come without pictures",
          "sudo apt-get install gnuplot-nox"};
}

}  // namespace

std::vector<Finding> judge_machine(const DoctorFacts& facts) {
  std::vector<Finding> findings = {judge_psi(facts),   judge_triggers(facts), judge_cgroup(facts),
                                   judge_limit(facts), judge_memory(facts),   judge_swap(facts),
                                   judge_thp(facts),   judge_release(facts)};
  for (Finding& finding : judge_model(facts)) findings.push_back(std::move(finding));
  for (Finding& finding : std::vector{judge_flash_attention(), judge_groups(facts),
                                      judge_folder(facts), judge_gnuplot(facts)}) {
    findings.push_back(std::move(finding));
  }
  return findings;
}

bool can_govern(const std::vector<Finding>& findings) {
  return std::ranges::none_of(findings,
                              [](const Finding& f) { return f.weight == Weight::missing; });
}

}  // namespace kvpsi
