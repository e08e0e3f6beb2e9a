// SPDX-License-Identifier: MIT
// See context.h.
#include "bench/context.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <charconv>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/sha256.h"
#include "linux/kernel_file.h"
#include "linux/process.h"
#include "linux/psi_parse.h"
#include "linux/text_scan.h"

namespace kvpsi {
namespace {

std::string find_cpu(const std::string& proc, unsigned cpus) {
  const auto text = read_small_file(proc + "/cpuinfo");
  std::string model = "unknown CPU";
  if (text) {
    std::string_view rest = *text;
    while (!rest.empty()) {
      const std::string_view line = take_line(rest);
      if (!line.starts_with("model name")) continue;
      if (const auto colon = line.find(": "); colon != std::string_view::npos) {
        model = line.substr(colon + 2);
      }
      break;
    }
  }
  return fmt::format("{}, {} usable", model, cpus);
}

double read_load(const std::string& proc) {
  const auto text = read_small_file(proc + "/loadavg");
  double load = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), load);
  return load;
}

void describe_pressure(const std::string& proc, BenchContext& context) {
  const auto text = read_small_file(proc + "/pressure/memory");
  const auto psi =
      text ? parse_psi_file(*text) : Result<PsiFileText>(std::unexpected(text.error()));
  if (!psi) {
    context.psi = "absent: " + describe(psi.error());
    context.warnings.push_back("no PSI: the governor works by headroom alone, stall shows as -");
    return;
  }
  context.psi = fmt::format("present, some avg10 {:.2f} at the start", psi->some.avg10);
  if (psi->some.avg10 > 1) {
    context.warnings.push_back(
        fmt::format("others stall for memory already: some avg10 is {:.1f}", psi->some.avg10));
  }
}

void describe_memory(const ProcessFacts& facts, BenchContext& context) {
  const std::uint64_t swap = facts.swap_total_bytes.value_or(0);
  context.swap = swap == 0 ? "none" : format_bytes(swap);
  if (swap > 0) {
    context.warnings.push_back(
        "there is swap: anonymous memory can leave the groups, which softens every squeeze");
  }
  context.thp = facts.thp_mode ? std::string(name(*facts.thp_mode)) : "unknown";
  if (facts.thp_mode == ThpMode::always) {
    context.warnings.push_back("transparent huge pages are on for everybody: peaks are coarser");
  }
}

}  // namespace

Result<void> describe_machine(const BenchOptions& options, BenchContext& context) {
  const ProcessFacts facts = read_process_facts(options.proc, options.sys);
  utsname names{};
  if (::uname(&names) == 0) context.host = names.nodename;
  context.kernel = facts.kernel_release;
  context.cpu = find_cpu(options.proc, facts.cpus);
  context.llama_commit = options.llama_commit;
  context.kvpsi_version = options.version;
  context.flags = options.flags;
  context.seed = options.seed;
  context.threads = options.threads;
  context.started_s = wall_seconds();
  describe_pressure(options.proc, context);
  describe_memory(facts, context);
  if (const double load = read_load(options.proc); load > 0.5 * facts.cpus) {
    context.warnings.push_back(
        fmt::format("the load average is {:.1f} on {} CPUs: others compute, timings will scatter",
                    load, facts.cpus));
  }
  if (options.threads > 1) {
    context.warnings.push_back(
        "more than one thread: on few or busy CPUs llama.cpp's barriers make timings scatter");
  }
  if (facts.cpus < 2) {
    context.warnings.push_back("one CPU only: engine and neighbour share it, not just memory");
  }
  context.model = options.model;
  auto hash = hash_file(options.model);
  if (!hash) return std::unexpected(hash.error());
  context.model_sha256 = std::move(*hash);
  return {};
}

}  // namespace kvpsi
