// SPDX-License-Identifier: MIT
// Reading of the configuration file; see config_file.h.
#include "cli/config_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "cli/suggest.h"

namespace kvpsi {
namespace {

/// CLI11 asks the environment after the file; an option set there must win over the file.
bool set_by_environment(const CLI::Option& option) {
  if (option.get_envname().empty()) return false;
  const char* value = std::getenv(option.get_envname().c_str());
  return value != nullptr && *value != '\0';
}

}  // namespace

void ConfigFileReader::check_key(const std::string& key) const {
  std::vector<std::string> known;
  for (const CLI::Option* option : app_.get_options()) {
    if (!option->get_configurable()) continue;
    for (const std::string& name : option->get_lnames()) {
      if (name == key) return;
      known.push_back(name);
    }
  }
  const std::string near = nearest_word(key, known);
  throw CLI::ConfigError(
      fmt::format("unknown key '{}' in the configuration file{}", key,
                  near.empty() ? std::string() : fmt::format("; did you mean '{}'?", near)));
}

std::vector<CLI::ConfigItem> ConfigFileReader::from_config(std::istream& input) const {
  std::vector<CLI::ConfigItem> kept;
  for (CLI::ConfigItem item : CLI::ConfigTOML::from_config(input)) {
    const bool is_mark = item.name == "++" || item.name == "--";
    if (!item.parents.empty()) {
      const std::string& section = item.parents.front();
      if (std::ranges::find(others_, section) != others_.end()) continue;
      if (section != command_ || item.parents.size() > 1) {
        throw CLI::ConfigError(fmt::format(
            "unknown section [{}] in the configuration file; sections are command names",
            CLI::detail::join(item.parents, ".")));
      }
    }
    if (is_mark) continue;
    check_key(item.name);
    item.parents.clear();
    const CLI::Option* option = app_.get_option_no_throw("--" + item.name);
    if (option != nullptr && set_by_environment(*option)) continue;
    kept.push_back(std::move(item));
  }
  return kept;
}

}  // namespace kvpsi
