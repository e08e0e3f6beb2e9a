// SPDX-License-Identifier: MIT
// Start here for the command line: what a subcommand is and how it is run. A new one is a file
// cmd_<name>.cpp with an options struct and add_<name>(), its declaration below and its line in
// commands.cpp; nothing else. The frame gives it --json, --quiet, --config, one environment
// variable an option, and errors of one line.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace CLI {
class App;
}

namespace kvpsi {

/// What every subcommand understands. Filled by the parse, so read it in the run function only.
struct CommonOptions {
  bool json = false;   ///< stdout carries JSON and nothing else
  bool quiet = false;  ///< no banner, no status line, no progress; errors stay
};

/// Runs a parsed subcommand and returns its exit code (exit_code.h).
using RunCommand = std::function<int()>;

/// Adds a subcommand's options to `app` and returns what to run after the parse. The options
/// struct belongs in a shared_ptr that the returned function owns. `common` outlives both.
using AddCommand = RunCommand (*)(CLI::App& app, const CommonOptions& common);

/// Runs a subcommand that takes its words as they are: they are another program's.
using PassWords = int (*)(const std::vector<std::string>& words);

/// One row of `kvpsi --help`.
struct Command {
  std::string_view name;
  std::string_view summary;      ///< one clause, no full stop
  AddCommand add = nullptr;      ///< nullptr, and `pass` too: this build leaves it out
  std::string_view absent = {};  ///< why it is left out and what to do
  PassWords pass = nullptr;      ///< instead of `add`
};

/// All subcommands, in the order of the help (commands.cpp).
std::span<const Command> commands();

RunCommand add_doctor(CLI::App& app, const CommonOptions& common);
RunCommand add_bench(CLI::App& app, const CommonOptions& common);
RunCommand add_press(CLI::App& app, const CommonOptions& common);
RunCommand add_requantize(CLI::App& app, const CommonOptions& common);
RunCommand add_run(CLI::App& app, const CommonOptions& common);
RunCommand add_explain(CLI::App& app, const CommonOptions& common);
RunCommand add_simulate(CLI::App& app, const CommonOptions& common);
RunCommand add_status(CLI::App& app, const CommonOptions& common);
int run_serve(const std::vector<std::string>& words);

/// Parses argv and runs what it names. Returns the exit code; prints its own errors.
int run_command_line(int argc, const char* const* argv);

/// Prints "kvpsi COMMAND: what" as one line on stderr.
void print_error(std::string_view command, std::string_view what);

/// Prints the error as one line and returns the exit code that goes with it.
int report_error(std::string_view command, const Error& error);

}  // namespace kvpsi
