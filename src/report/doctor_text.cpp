// SPDX-License-Identifier: MIT
// Layout of the preflight's answer; see doctor_text.h.
#include "report/doctor_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "report/text_grid.h"

namespace kvpsi {
namespace {

constexpr std::size_t kIdWidth = 12;
constexpr std::size_t kIndent = 2 + 9 + kIdWidth;

std::string_view mark(Weight weight) {
  switch (weight) {
    case Weight::good:
      return "ok";
    case Weight::note:
      return "note";
    case Weight::advice:
      return "advice";
    case Weight::missing:
      return "MISSING";
  }
  return "";
}

Style style_of(Weight weight) {
  switch (weight) {
    case Weight::good:
      return Style::green;
    case Weight::note:
      return Style::dim;
    case Weight::advice:
      return Style::yellow;
    case Weight::missing:
      return Style::red;
  }
  return Style::plain;
}

std::string render_finding(const Finding& finding, const DoctorTextOptions& options) {
  std::string what = finding.what;
  if (finding.weight == Weight::note) what += "; nothing to fix here";
  const auto lines = wrap_text(what, options.columns, kIndent);
  const std::string word = fmt::format("{:<9}", mark(finding.weight));
  std::string out = "  " + style_text(style_of(finding.weight), word, options.colour) +
                    fmt::format("{:<{}}", finding.id, kIdWidth) + lines.front().substr(kIndent) +
                    "\n";
  for (std::size_t i = 1; i < lines.size(); ++i) out += lines[i] + "\n";
  return out;
}

std::string conclude(const std::vector<Finding>& findings) {
  const auto count = [&](Weight weight) {
    return std::ranges::count(findings, weight, &Finding::weight);
  };
  const auto missing = count(Weight::missing);
  const auto advice = count(Weight::advice);
  if (missing > 0) {
    return fmt::format("Not ready: {} thing{} that a governed run needs {} missing.", missing,
                       missing == 1 ? "" : "s", missing == 1 ? "is" : "are");
  }
  if (advice > 0) {
    return fmt::format("Ready, with {} piece{} of advice.", advice, advice == 1 ? "" : "s");
  }
  return "Ready: nothing to fix here.";
}

}  // namespace

std::string render_findings(const std::vector<Finding>& findings,
                            const DoctorTextOptions& options) {
  std::string out;
  for (const Finding& finding : findings) {
    if (options.only_open && finding.weight == Weight::good) continue;
    out += render_finding(finding, options);
  }
  std::string advice;
  for (const Finding& finding : findings) {
    if (finding.fix.empty()) continue;
    // A command stays on one line, so that it can be copied.
    advice += fmt::format("  {:<{}}{}\n", finding.id, kIdWidth, finding.fix);
  }
  if (!advice.empty()) out += "\nadvice\n" + advice;
  return out + "\n" + style_text(Style::bold, conclude(findings), options.colour) + "\n";
}

std::string doctor_json(const std::vector<Finding>& findings) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"id", finding.id},
                    {"weight", std::string(name(finding.weight))},
                    {"what", finding.what},
                    {"fix", finding.fix.empty() ? Json(nullptr) : Json(finding.fix)}});
  }
  const Json document = {
      {"schema", std::string(kDoctorSchema)}, {"ok", can_govern(findings)}, {"findings", list}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kvpsi
