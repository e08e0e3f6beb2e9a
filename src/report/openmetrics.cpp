// SPDX-License-Identifier: MIT
// See openmetrics.h.
#include "report/openmetrics.h"

#include <fmt/format.h>

#include <cmath>

namespace kvpsi {
namespace {

/// Backslash, line feed and, in label values, the quote.
std::string escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    if (c == '\n') {
      escaped += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string spell(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

}  // namespace

void OpenMetrics::begin(std::string_view name, std::string_view type, std::string_view unit,
                        std::string_view help) {
  name_ = name;
  text_ += fmt::format("# TYPE {} {}\n", name, type);
  if (!unit.empty()) text_ += fmt::format("# UNIT {} {}\n", name, unit);
  text_ += fmt::format("# HELP {} {}\n", name, escape(help));
}

void OpenMetrics::gauge(std::string_view name, std::string_view unit, std::string_view help) {
  begin(name, "gauge", unit, help);
  suffix_ = "";
}

void OpenMetrics::counter(std::string_view name, std::string_view unit, std::string_view help) {
  begin(name, "counter", unit, help);
  suffix_ = "_total";
}

void OpenMetrics::info(std::string_view name, std::string_view help) {
  begin(name, "info", "", help);
  suffix_ = "_info";
}

void OpenMetrics::write(std::string_view value, Labels labels) {
  text_ += name_;
  text_ += suffix_;
  std::string_view separator = "{";
  for (const auto& [label, content] : labels) {
    text_ += fmt::format("{}{}=\"{}\"", separator, label, escape(content));
    separator = ",";
  }
  if (labels.size() > 0) text_ += '}';
  text_ += fmt::format(" {}\n", value);
}

void OpenMetrics::sample(std::uint64_t value, Labels labels) {
  write(fmt::format("{}", value), labels);
}

void OpenMetrics::sample(double value, Labels labels) { write(spell(value), labels); }

std::string OpenMetrics::finish() {
  text_ += "# EOF\n";
  return std::exchange(text_, {});
}

}  // namespace kvpsi
