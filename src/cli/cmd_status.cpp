// SPDX-License-Identifier: MIT
// `kvpsi status`: asks governed processes what holds their memory and prints a table or the JSON;
// changes the soft maximum of one while it runs. Next hops: status_client (who is asked),
// status_request (what is asked), status_answer and status_table (what is made of the answer).
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/status_answer.h"
#include "cli/status_client.h"
#include "cli/status_request.h"
#include "cli/status_table.h"
#include "linux/process.h"

namespace kvpsi {
namespace {

/// PID_MAX_LIMIT of 64-bit Linux (include/linux/threads.h).
constexpr pid_t kPidMost = 4'194'304;

struct StatusOptions {
  pid_t pid = 0;  ///< 0: every process that listens
  bool sets_soft_max = false;
  std::optional<std::uint64_t> soft_max_bytes;  ///< empty: lift it
  std::string unix_table = "/proc/net/unix";
};

int show_one(pid_t pid, bool json) {
  const auto document = ask_status(pid);
  if (!document) return report_error("status", document.error());
  if (json) {
    const auto clean = clean_answer(*document, kStatusSchema);
    if (!clean) return report_error("status", clean.error());
    fmt::print("{}\n", *clean);
    return kExitDone;
  }
  const auto table = render_status(*document);
  if (!table) return report_error("status", table.error());
  fmt::print("{}", *table);
  return kExitDone;
}

/// Ids of other PID namespaces mean other processes here, or none.
Result<std::vector<pid_t>> find_processes(const StatusOptions& options) {
  return find_status_servers(options.unix_table, read_pid_namespace().value_or(0));
}

/// The process to change: the one that was named, or the only one that listens.
Result<pid_t> choose_process(const StatusOptions& options) {
  if (options.pid != 0) return options.pid;
  const auto pids = find_processes(options);
  if (!pids) return std::unexpected(pids.error());
  if (pids->size() == 1) return pids->front();
  if (pids->empty()) {
    return fail(ErrorCode::cancelled,
                "nothing governed runs here; start one with `kvpsi run` or `kvpsi serve`");
  }
  return fail(ErrorCode::invalid_argument,
              fmt::format("{} governed processes run here; name one with --pid, as `kvpsi status` "
                          "lists them",
                          pids->size()));
}

int set_soft_max(const StatusOptions& options, const CommonOptions& common) {
  const auto pid = choose_process(options);
  if (!pid) return report_error("status", pid.error());
  const auto document = ask_status(*pid, format_status_request({true, options.soft_max_bytes}));
  if (!document) {
    const int code = report_error("status", document.error());
    return code == kExitUsage ? kExitNotHeld : code;
  }
  const auto words = describe_control_answer(*document);
  if (!words) return report_error("status", words.error());
  if (common.json) {
    const auto clean = clean_answer(*document, kControlSchema);
    if (!clean) return report_error("status", clean.error());
    fmt::print("{}\n", *clean);
  } else if (!common.quiet) {
    fmt::print("{}\n", words->line);
  }
  if (!words->warning.empty()) print_error("status", words->warning);
  return kExitDone;
}

int run_status(const StatusOptions& options, const CommonOptions& common) {
  if (options.sets_soft_max) return set_soft_max(options, common);
  if (options.pid != 0) {
    const int code = show_one(options.pid, common.json);
    return code == kExitUsage ? kExitNotHeld : code;
  }
  const auto pids = find_processes(options);
  if (!pids) return report_error("status", pids.error());
  int shown = 0;
  for (const pid_t pid : *pids) shown += show_one(pid, common.json) == kExitDone ? 1 : 0;
  if (shown > 0) return kExitDone;
  print_error("status", "nothing governed runs here; start one with `kvpsi run` or `kvpsi serve`");
  return kExitNotHeld;
}

}  // namespace

RunCommand add_status(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<StatusOptions>();
  add_number_option(app, "--pid", options->pid, 1, kPidMost, "Ask this process only")
      ->type_name("PID")
      ->default_str("");
  app.add_option("--unix-table", options->unix_table, "Where the kernel lists unix sockets")
      ->type_name("FILE");
  app.add_option_function<std::string>(
         "--set-kv-soft-max",
         [options](const std::string& text) {
           const auto bytes = parse_soft_max(text);
           if (!bytes) {
             throw CLI::ValidationError(
                 "--set-kv-soft-max",
                 fmt::format("'{}' is not a size; write it like 64MiB, or none", text));
           }
           options->sets_soft_max = true;
           options->soft_max_bytes = *bytes;
         },
         "Change the goal for live KV memory of a running process (--pid, or the only one): kvpsi "
         "serve holds new work back for it, kvpsi run only shows it")
      ->type_name("SIZE|none")
      ->configurable(false);
  return [options, &common] { return run_status(*options, common); };
}

}  // namespace kvpsi
