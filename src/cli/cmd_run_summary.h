// SPDX-License-Identifier: MIT
// The summary of a run: JSON of schema kvpsi.run/1, and two lines for people. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/cmd_run_record.h"

namespace kvpsi {

/// One JSON object on one line. Bytes are integers, times microseconds of CLOCK_MONOTONIC.
std::string summary_json(const RunRecord& record);

/// What a person wants to know at the end, a few lines.
std::vector<std::string> summary_lines(const RunRecord& record);

/// The value below which `share` of the values lie (nearest rank); 0 for none.
double quantile(std::vector<double> values, double share);

}  // namespace kvpsi
