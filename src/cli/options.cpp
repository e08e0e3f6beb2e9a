// SPDX-License-Identifier: MIT
// Option helpers; see options.h.
#include "cli/options.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

#include "base/bytes.h"

namespace kvpsi {
namespace {

std::uint64_t parse_size(const std::string& flags, const std::string& text) {
  const auto bytes = parse_bytes(text);
  if (bytes) return *bytes;
  throw CLI::ValidationError(flags, bytes.error().what);
}

}  // namespace

CLI::Option* add_bytes_option(CLI::App& app, const std::string& flags, std::uint64_t& target,
                              const std::string& help) {
  auto* option = app.add_option_function<std::string>(
      flags, [flags, &target](const std::string& text) { target = parse_size(flags, text); }, help);
  return option->type_name("SIZE")->default_str(format_bytes(target));
}

CLI::Option* add_bytes_option(CLI::App& app, const std::string& flags,
                              std::optional<std::uint64_t>& target, const std::string& help) {
  auto* option = app.add_option_function<std::string>(
      flags, [flags, &target](const std::string& text) { target = parse_size(flags, text); }, help);
  return option->type_name("SIZE");
}

CLI::Option* add_number_option(CLI::App& app, const std::string& flags, double& target,
                               double least, double most, const std::string& help) {
  auto* option = app.add_option_function<std::string>(
      flags,
      [=, &target](const std::string& text) {
        double value = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
        if (!whole || !(value >= least && value <= most)) {
          refuse_number(flags, text, fmt::format("{}", least), fmt::format("{}", most));
        }
        target = value;
      },
      help);
  return option->type_name("NUMBER")->default_str(fmt::format("{}", target));
}

CLI::Option* add_on_off_option(CLI::App& app, const std::string& flags, bool& target,
                               const std::string& help) {
  return add_choice_option<bool>(app, flags, target, {{"on", true}, {"off", false}}, help);
}

void refuse_number(const std::string& what, const std::string& value, const std::string& least,
                   const std::string& most) {
  throw CLI::ValidationError(what,
                             fmt::format("'{}' is not a number from {} to {}", value, least, most));
}

void refuse_choice(const std::string& what, const std::string& value, const std::string& names) {
  throw CLI::ValidationError(what, fmt::format("'{}' is none of {}", value, names));
}

void name_environment_variables(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty() || !option->get_configurable()) continue;
    std::string name = "KVPSI_" + option->get_lnames().front();
    std::ranges::transform(name, name.begin(), [](unsigned char c) {
      return c == '-' ? '_' : static_cast<char>(std::toupper(c));
    });
    option->envname(name);
  }
}

}  // namespace kvpsi
