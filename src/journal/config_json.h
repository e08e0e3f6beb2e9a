// SPDX-License-Identifier: MIT
// PolicyConfig <-> one JSON line, schema kvpsi.config/1: the first line of a journal, so that a
// replay needs nothing but the file. Driven by the field table of policy/config.h. Exact both
// ways. Next hop: docs/journal-format.md.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/config.h"

namespace kvpsi {

inline constexpr std::string_view kConfigSchema = "kvpsi.config/1";

/// `{"schema":"kvpsi.config/1","config":{every field},"config_hash":"16 hex digits"}`, without a
/// line break.
std::string config_to_json(const PolicyConfig& config);

/// Whether the line claims to be of that schema. Looks at its first bytes only, as the writer
/// makes them.
bool is_config_line(std::string_view line);

/// Parses one line. Errors: malformed for what is no such line, a wrong value, or a hash that the
/// config does not have; unsupported for a config with fields fewer or more than ours, which
/// another version wrote.
Result<PolicyConfig> config_from_json(std::string_view line);

}  // namespace kvpsi
