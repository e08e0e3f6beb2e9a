// SPDX-License-Identifier: MIT
// The TOML file of --config: keys are long option names. Keys at the top and in the section
// [<command>] belong to the command; sections of other commands are skipped, anything else is
// refused by name. Next hop: command.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <istream>
#include <string>
#include <vector>

namespace kvpsi {

/// CLI11's reader, narrowed to one command. Throws CLI::ConfigError for unknown keys and sections.
class ConfigFileReader : public CLI::ConfigTOML {
 public:
  /// `app` outlives the reader. `others` are the names of the other commands.
  ConfigFileReader(CLI::App& app, std::string command, std::vector<std::string> others)
      : app_(app), command_(std::move(command)), others_(std::move(others)) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;

 private:
  void check_key(const std::string& key) const;

  CLI::App& app_;
  std::string command_;
  std::vector<std::string> others_;
};

}  // namespace kvpsi
