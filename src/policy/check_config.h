// SPDX-License-Identifier: MIT
// Says whether the law's constants make sense together, wherever a person may have set them. Pure.
// What kind of text stands for a value is checked by cli/policy_config_file.h. Next hop:
// policy/config.h.
#pragma once

#include <optional>
#include <string>

#include "policy/config.h"

namespace kvpsi {

/// The first thing that is wrong, as a clause that begins with the member's name and says its value
/// and what it may be. Nothing, if the law can work with it: shares lie in 0..1, no window or
/// heartbeat is 0, and what must not be above something else is not (a lower reserve, a threshold
/// of leaving, a shortest hold).
std::optional<std::string> check_policy_config(const PolicyConfig& config);

}  // namespace kvpsi
