// SPDX-License-Identifier: MIT
// The preflight's answer for people and for programs. Pure: makes strings.
// Next hop: cli/cmd_doctor prints them.
#pragma once

#include <string>
#include <vector>

#include "report/doctor_findings.h"

namespace kvpsi {

inline constexpr std::string_view kDoctorSchema = "kvpsi.doctor/1";

struct DoctorTextOptions {
  std::size_t columns = 0;  ///< 0: do not wrap
  bool colour = false;
  bool only_open = false;  ///< leave out what is good
};

/// Findings, then the advice as commands, then one sentence. Ends in a newline.
std::string render_findings(const std::vector<Finding>& findings,
                            const DoctorTextOptions& options = {});

/// {schema, ok, findings: [{id, weight, what, fix}]}, indented, ending in a newline. `fix` is null
/// where there is nothing to fix.
std::string doctor_json(const std::vector<Finding>& findings);

}  // namespace kvpsi
