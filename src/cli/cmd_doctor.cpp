// SPDX-License-Identifier: MIT
// `kvpsi doctor`: looks at the machine and the model, says what it means for a governed run, and
// gives each fix as a command. Next hops: report/doctor_facts observes, report/doctor_findings
// judges, report/doctor_text shows; cmd_doctor_build tells how this program was built.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>

#include "cli/cmd_doctor_build.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "report/doctor_findings.h"
#include "report/doctor_text.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kContextMost = 1ULL << 31;

struct DoctorCommandOptions {
  DoctorOptions doctor;
  bool build = false;
};

int show_build(const CommonOptions& common) {
  fmt::print("{}", common.json ? build_json() : build_text());
  return kExitDone;
}

int run_doctor(DoctorCommandOptions options, const CommonOptions& common) {
  if (options.build) return show_build(common);
  const char* search_path = std::getenv("PATH");
  options.doctor.search_path = search_path != nullptr ? search_path : "";
  // A fixture's groups are files: making one there proves nothing.
  const CgroupRoots real;
  options.doctor.try_groups =
      options.doctor.roots.proc == real.proc && options.doctor.roots.sys == real.sys;
  const auto findings = judge_machine(observe_machine(options.doctor));
  if (common.json) {
    fmt::print("{}", doctor_json(findings));
  } else {
    const bool terminal = is_terminal(STDOUT_FILENO);
    fmt::print("{}", render_findings(findings, {.columns = terminal ? terminal_columns() : 100,
                                                .colour = use_colour(STDOUT_FILENO),
                                                .only_open = common.quiet}));
  }
  return can_govern(findings) ? kExitDone : kExitMachine;
}

}  // namespace

RunCommand add_doctor(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<DoctorCommandOptions>();
  DoctorOptions& doctor = options->doctor;
  app.add_option("-m,--model", doctor.model, "Look at this model too")->type_name("FILE");
  add_number_option(app, "-c,--ctx-size", doctor.n_ctx, 1, kContextMost,
                    "Context that the KV cache is sized for");
  app.add_option("--out-dir", doctor.work_dir, "Where a benchmark would write")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_flag("--build", options->build, "Print how this program was built, and end");
  app.add_option("--proc", doctor.roots.proc, "Where procfs is")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--sys", doctor.sys, "Where sysfs is")->type_name("DIR")->capture_default_str();
  app.add_option("--cgroup", doctor.roots.sys, "Where the cgroup tree is")
      ->type_name("DIR")
      ->capture_default_str();
  return [options, &common] { return run_doctor(*options, common); };
}

}  // namespace kvpsi
