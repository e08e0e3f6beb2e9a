// SPDX-License-Identifier: MIT
// Writes OpenMetrics text (github.com/prometheus/OpenMetrics, 1.0.0). prometheus-cpp writes only
// the older text format, which names counters in a way that a strict OpenMetrics parser refuses.
// Pure: makes a string. Next hop: serve/metrics.h says which families there are.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace kvpsi {

inline constexpr std::string_view kOpenMetricsType =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Families one after the other, each with its samples. A family's name ends in its unit.
class OpenMetrics {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  /// Begins a family. `unit` is empty where the value has none.
  void gauge(std::string_view name, std::string_view unit, std::string_view help);
  /// The name without "_total", which its samples get.
  void counter(std::string_view name, std::string_view unit, std::string_view help);
  /// Facts in labels; the name without "_info", which its sample gets. Its value is 1.
  void info(std::string_view name, std::string_view help);

  /// A sample of the family begun last. Whole numbers are written exactly.
  void sample(std::uint64_t value, Labels labels = {});
  void sample(double value, Labels labels = {});

  /// The text with its end mark. The writer is empty afterwards.
  std::string finish();

 private:
  void begin(std::string_view name, std::string_view type, std::string_view unit,
             std::string_view help);
  void write(std::string_view value, Labels labels);

  std::string text_;
  std::string name_;
  std::string_view suffix_;
};

}  // namespace kvpsi
