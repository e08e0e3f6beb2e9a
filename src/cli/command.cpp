// SPDX-License-Identifier: MIT
// The frame around the subcommands: picks one, parses its options (flags, environment, file), runs
// it, and turns every failure into one line on stderr. Each subcommand is parsed by an App of its
// own, so that its help shows everything that it understands. Next hop: commands.cpp, cmd_*.cpp.
#include "cli/command.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <vector>

#include "base/printable.h"
#include "cli/config_file.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/suggest.h"

namespace kvpsi {
namespace {

bool is_absent(const Command& command) { return command.add == nullptr && command.pass == nullptr; }

void print_help() {
  fmt::print(
      "kvpsi {}: a memory governor for llama.cpp that listens to Linux pressure stall "
      "information\n\nusage: kvpsi COMMAND [OPTIONS]\n\n",
      KVPSI_VERSION);
  for (const Command& command : commands()) {
    fmt::print("  {:<10} {}{}\n", command.name, command.summary,
               is_absent(command) ? " (not in this build)" : "");
  }
  fmt::print(
      "\n`kvpsi COMMAND --help` lists the options. Each may also be set as an environment "
      "variable,\nKVPSI_<OPTION>, or as a key of the TOML file given with --config.\n"
      "Exit codes: 0 done, 1 the thing checked does not hold, 2 usage, 3 the machine lacks "
      "something.\n");
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.emplace_back(command.name);
  return names;
}

int refuse_command(const std::string& word) {
  const std::string near = nearest_word(word, command_names());
  print_error(
      "", fmt::format("unknown command '{}'{}; `kvpsi --help` lists them", word,
                      near.empty() ? std::string() : fmt::format(", did you mean '{}'?", near)));
  return kExitUsage;
}

/// "unknown option '--foo', did you mean '--for'?" for the first word that no option took.
std::string explain_extras(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining();
  if (extras.empty()) return "unexpected argument";
  const std::string& word = extras.front();
  if (!word.starts_with("-")) return fmt::format("unexpected argument '{}'", word);
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  const std::string near = nearest_word(word.substr(0, word.find('=')), known);
  return fmt::format("unknown option '{}'{}", word,
                     near.empty() ? std::string() : fmt::format(", did you mean '{}'?", near));
}

int refuse_parse(const std::string& name, const CLI::App& app, const CLI::ParseError& error) {
  std::string what = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) what = explain_extras(app);
  std::ranges::replace(what, '\n', ' ');
  print_error(name, fmt::format("{}; `kvpsi {} --help` explains the options", what, name));
  return kExitUsage;
}

void add_common_options(CLI::App& app, const std::string& name, CommonOptions& common) {
  app.add_flag("--json", common.json, "Print JSON on stdout and nothing else");
  app.add_flag("-q,--quiet", common.quiet, "Print no banner, no status line and no progress");
  app.set_config("--config", "", "Read options from a TOML file")->type_name("FILE");
  auto others = command_names();
  std::erase(others, name);
  app.config_formatter(std::make_shared<ConfigFileReader>(app, name, std::move(others)));
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.get_formatter()->column_width(36);
  name_environment_variables(app);
}

int run_command(const Command& command, std::vector<std::string> arguments) {
  const std::string name(command.name);
  if (is_absent(command)) {
    print_error(name, command.absent);
    return kExitMachine;
  }
  if (command.pass != nullptr) return command.pass(arguments);
  CommonOptions common;
  CLI::App app("kvpsi " + name + ": " + std::string(command.summary), "kvpsi " + name);
  const RunCommand run = command.add(app, common);
  add_common_options(app, name, common);
  try {
    std::ranges::reverse(arguments);  // CLI11 takes the words from the back
    app.parse(arguments);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return refuse_parse(name, app, error);
  }
  return run();
}

}  // namespace

void print_error(std::string_view command, std::string_view what) {
  fmt::print(stderr, "kvpsi{}{}: {}\n", command.empty() ? "" : " ", command, printable(what));
}

int report_error(std::string_view command, const Error& error) {
  print_error(command, describe(error));
  return exit_code(error.code);
}

int run_command_line(int argc, const char* const* argv) {
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (words.empty()) {
    print_help();
    return kExitUsage;
  }
  const std::string& word = words.front();
  if (word == "--help" || word == "-h" || word == "help") {
    print_help();
    return kExitDone;
  }
  if (word == "--version" || word == "-V") {
    fmt::print("kvpsi {}\n", KVPSI_VERSION);
    return kExitDone;
  }
  for (const Command& command : commands()) {
    if (command.name == word) return run_command(command, {words.begin() + 1, words.end()});
  }
  return refuse_command(word);
}

}  // namespace kvpsi
