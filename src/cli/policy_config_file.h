// SPDX-License-Identifier: MIT
// Reads the constants of the law from a small TOML file: one `name = value` a line, named as the
// fields of PolicyConfig. Must not accept what it does not know. Next hop: policy/config.h.
#pragma once

#include <string>

#include "base/result.h"
#include "policy/config.h"

namespace kvpsi {

/// `base` with the values of the file put over it. Fields of bytes take sizes ("64MiB").
/// Errors: not_found or io, with the path; invalid_argument for an unknown or doubled name or a
/// value of the wrong kind, "line 3: ...".
Result<PolicyConfig> read_policy_config(const std::string& path, const PolicyConfig& base);

}  // namespace kvpsi
