// SPDX-License-Identifier: MIT
// Reads the constants of the law from a small TOML file: one `name = value` a line, named as the
// fields of PolicyConfig. Must not accept what it does not know, or what contradicts itself. By
// hand, not by the reader of --config: that one belongs to options of a command, drops the numbers
// of the lines, and would need as many options as there are constants. Next hops:
// policy/config.h, policy/check_config.h.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/config.h"

namespace kvpsi {

/// `base` with the values in `text` put over it; `path` names the text in errors. Fields of bytes
/// take sizes ("64MiB"). Errors: invalid_argument for an unknown or doubled name or a value of the
/// wrong kind ("line 3: ..."), and for constants that make no sense together.
Result<PolicyConfig> apply_policy_config(std::string_view text, const std::string& path,
                                         const PolicyConfig& base);

}  // namespace kvpsi
