// SPDX-License-Identifier: MIT
// `kvpsi status`: asks governed processes what holds their memory and prints a table or the JSON.
// Next hop: status_socket (who answers), status_table (how it looks).
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/status_socket.h"
#include "cli/status_table.h"

namespace kvpsi {
namespace {

/// PID_MAX_LIMIT of 64-bit Linux (include/linux/threads.h).
constexpr pid_t kPidMost = 4'194'304;

struct StatusOptions {
  pid_t pid = 0;  ///< 0: every process that listens
  std::string unix_table = "/proc/net/unix";
};

int show_one(pid_t pid, bool json) {
  const auto document = ask_status(pid);
  if (!document) return report_error("status", document.error());
  if (json) {
    fmt::print("{}\n", *document);
    return kExitDone;
  }
  const auto table = render_status(*document);
  if (!table) return report_error("status", table.error());
  fmt::print("{}", *table);
  return kExitDone;
}

int run_status(const StatusOptions& options, const CommonOptions& common) {
  if (options.pid != 0) {
    const int code = show_one(options.pid, common.json);
    return code == kExitUsage ? kExitNotHeld : code;
  }
  const auto pids = find_status_servers(options.unix_table);
  if (!pids) return report_error("status", pids.error());
  int shown = 0;
  for (const pid_t pid : *pids) shown += show_one(pid, common.json) == kExitDone ? 1 : 0;
  if (shown > 0) return kExitDone;
  print_error("status", "nothing governed runs here; start one with `kvpsi run`");
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
  return [options, &common] { return run_status(*options, common); };
}

}  // namespace kvpsi
