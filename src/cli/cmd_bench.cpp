// SPDX-License-Identifier: MIT
// `kvpsi bench`: the pressure benchmark. Next hops: cmd_bench_options (what was asked),
// bench/bench (the work), cmd_bench_screen (what is shown).
#include <CLI/CLI.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "cli/cmd_bench_at_rest.h"
#include "cli/cmd_bench_options.h"
#include "cli/cmd_bench_rows.h"
#include "cli/cmd_bench_screen.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/model_path.h"
#include "cli/stop_flag.h"
#include "linux/cgroup.h"

namespace kvpsi {
namespace {

int run_preflight(const BenchCommand& command, const CommonOptions& common) {
  std::vector<const char*> words = {"kvpsi", "doctor"};
  if (!command.model.empty()) words.insert(words.end(), {"--model", command.model.c_str()});
  if (!command.out_dir.empty()) words.insert(words.end(), {"--out-dir", command.out_dir.c_str()});
  if (common.json) words.push_back("--json");
  if (common.quiet) words.push_back("--quiet");
  return run_command_line(static_cast<int>(words.size()), words.data());
}

int run_bench_command(const BenchCommand& command, const CommonOptions& common) {
  if (command.preflight_only) return run_preflight(command, common);
  const std::string model = command.model.empty() ? cached_model_path() : command.model;
  if (command.rows) {
    return run_rows({model, command.spill_dir, command.threads, command.seed}, common);
  }
  if (command.at_rest) {
    return run_at_rest({.model = model,
                        .pairs = command.at_rest_pairs,
                        .threads = command.threads,
                        .seed = command.seed},
                       common);
  }
  auto options = make_bench_options(command);
  if (!options) return report_error("bench", options.error());
  const auto location = find_cgroup(CgroupRoots{});
  if (!location) return report_error("bench", location.error());
  options->own_groups = {location->v1_memory_dir, location->v2_dir};
  options->version = KVPSI_VERSION;
  options->llama_commit = KVPSI_LLAMA_COMMIT;
  if (command.reality.asked) {
    return run_reality_command(command.reality, std::move(*options), common);
  }
  install_stop_flag();
  BenchScreen screen(common.quiet);
  const auto results = run_bench(*options, stop_asked,
                                 [&](const BenchProgress& progress) { screen.show(progress); });
  screen.finish();
  if (!results) return report_error("bench", results.error());
  if (auto shown = present_results(*results, options->out_dir, common); !shown) {
    return report_error("bench", shown.error());
  }
  return results->context.complete ? kExitDone : kExitNotHeld;
}

}  // namespace

RunCommand add_bench(CLI::App& app, const CommonOptions& common) {
  auto command = std::make_shared<BenchCommand>();
  add_bench_options(app, *command);
  return [command, &common] { return run_bench_command(*command, common); };
}

}  // namespace kvpsi
