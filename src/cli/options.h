// SPDX-License-Identifier: MIT
// Option helpers shared by the subcommands: sizes, on/off, named choices, and one environment
// variable an option. Must not know any subcommand. Throws CLI11's own errors inside a parse only;
// command.cpp turns them into one line.
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace kvpsi {

/// Refuses a value that is no number between the two; `what` names the option in the error.
[[noreturn]] void refuse_number(const std::string& what, const std::string& value,
                                const std::string& least, const std::string& most);

/// A size like 64MiB (base/bytes.h) into `target`.
CLI::Option* add_bytes_option(CLI::App& app, const std::string& flags, std::uint64_t& target,
                              const std::string& help);
CLI::Option* add_bytes_option(CLI::App& app, const std::string& flags,
                              std::optional<std::uint64_t>& target, const std::string& help);

/// Parses a whole number from `least` to `most`, or refuses it in the name of `flags`.
template <std::integral T>
T parse_number(const std::string& flags, const std::string& text, T least, T most) {
  T value{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  if (!whole || value < least || value > most) {
    refuse_number(flags, text, std::to_string(least), std::to_string(most));
  }
  return value;
}

/// A whole number from `least` to `most`.
template <std::integral T>
CLI::Option* add_number_option(CLI::App& app, const std::string& flags, T& target,
                               std::type_identity_t<T> least, std::type_identity_t<T> most,
                               const std::string& help) {
  auto* option = app.add_option_function<std::string>(
      flags,
      [=, &target](const std::string& text) { target = parse_number<T>(flags, text, least, most); },
      help);
  return option->type_name("N")->default_str(std::to_string(target));
}

/// The same where "not given" differs from every number.
template <std::integral T>
CLI::Option* add_number_option(CLI::App& app, const std::string& flags, std::optional<T>& target,
                               std::type_identity_t<T> least, std::type_identity_t<T> most,
                               const std::string& help) {
  auto* option = app.add_option_function<std::string>(
      flags,
      [=, &target](const std::string& text) { target = parse_number<T>(flags, text, least, most); },
      help);
  return option->type_name("N");
}

/// A number from `least` to `most`, fractions allowed.
CLI::Option* add_number_option(CLI::App& app, const std::string& flags, double& target,
                               double least, double most, const std::string& help);

/// A switch that is written out: --governor on|off.
CLI::Option* add_on_off_option(CLI::App& app, const std::string& flags, bool& target,
                               const std::string& help);

/// Refuses a value that is none of `names`; `what` names the option in the error.
[[noreturn]] void refuse_choice(const std::string& what, const std::string& value,
                                const std::string& names);

/// One of a few names, each standing for a value of T (an enum, mostly).
template <class T>
CLI::Option* add_choice_option(CLI::App& app, const std::string& flags, T& target,
                               std::initializer_list<std::pair<std::string, T>> choices,
                               const std::string& help) {
  std::vector<std::pair<std::string, T>> known(choices);
  std::string names;
  std::string chosen;
  for (const auto& [name, value] : known) {
    names += (names.empty() ? "" : "|") + name;
    if (value == target) chosen = name;
  }
  auto* option = app.add_option_function<std::string>(
      flags,
      [known, names, flags, &target](const std::string& text) {
        for (const auto& [name, value] : known) {
          if (name == text) {
            target = value;
            return;
          }
        }
        refuse_choice(flags, text, names);
      },
      help);
  return option->type_name(names)->default_str(chosen);
}

/// Names the environment variable KVPSI_<OPTION> of every option of `app` that has a long name and
/// may stand in a configuration file. A flag on the command line goes first, then the environment,
/// then the file.
void name_environment_variables(CLI::App& app);

}  // namespace kvpsi
