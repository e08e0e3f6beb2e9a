// SPDX-License-Identifier: MIT
// See scenario_input.h.
#include "cli/scenario_input.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/small_file.h"
#include "cli/suggest.h"

namespace kvpsi {
namespace {

std::string did_you_mean(const std::string& typed, const std::vector<std::string>& known) {
  const std::string near = nearest_word(typed, known);
  return near.empty() ? std::string() : fmt::format("; did you mean '{}'?", near);
}

std::unexpected<Error> refuse_unknown(const std::string& wanted) {
  std::vector<std::string> known = {"all"};
  for (const ShippedScenario& shipped : shipped_scenarios()) known.emplace_back(shipped.name);
  return fail(ErrorCode::not_found,
              "no scenario of this name (kvpsi simulate --list) and no such file" +
                  did_you_mean(wanted, known),
              wanted);
}

Result<Scenario> load_file(const std::string& path) {
  const auto text = read_named_file(path);
  if (!text && text.error().code == ErrorCode::not_found) return refuse_unknown(path);
  if (!text) return std::unexpected(text.error());
  return parse_scenario(*text, path);
}

}  // namespace

Result<std::vector<Scenario>> load_scenarios(const std::string& wanted) {
  std::vector<Scenario> scenarios;
  for (const ShippedScenario& shipped : shipped_scenarios()) {
    if (wanted != "all" && wanted != shipped.name) continue;
    auto scenario = parse_scenario(shipped.text, shipped.name);
    if (!scenario) return std::unexpected(scenario.error());
    scenarios.push_back(*std::move(scenario));
  }
  if (!scenarios.empty()) return scenarios;
  auto scenario = load_file(wanted);
  if (!scenario) return std::unexpected(scenario.error());
  scenarios.push_back(*std::move(scenario));
  return scenarios;
}

bool is_shipped_scenario(const std::string& wanted) {
  return std::ranges::any_of(shipped_scenarios(), [&wanted](const ShippedScenario& shipped) {
    return shipped.name == wanted;
  });
}

std::vector<LawKind> find_laws(const std::string& wanted) {
  std::vector<LawKind> laws;
  for (const LawKind law : kLaws) {
    if (wanted == "all" || wanted == name(law)) laws.push_back(law);
  }
  return laws;
}

std::string refuse_law(const std::string& wanted) {
  if (!find_laws(wanted).empty()) return {};
  std::vector<std::string> known = {"all"};
  std::string names = "all";
  for (const LawKind law : kLaws) {
    known.emplace_back(name(law));
    names += fmt::format(", {}", name(law));
  }
  return fmt::format("'{}' is none of {}{}", wanted, names, did_you_mean(wanted, known));
}

}  // namespace kvpsi
