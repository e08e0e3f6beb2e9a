// SPDX-License-Identifier: MIT
// Tick <-> one JSON line, schema kvpsi.tick/1, driven by the field tables of model/: a field added
// there is in the journal without a change here. Exact both ways: integers as integers, doubles by
// their shortest exact digits, hashes as hex text. Next hop: docs/journal-format.md.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/tick.h"

namespace kvpsi {

inline constexpr std::string_view kTickSchema = "kvpsi.tick/1";

/// Appends the tick as one JSON object to `line`, without a line break. Infinity and NaN, which
/// JSON has no numbers for, become "inf", "-inf" and "nan".
void append_tick_json(std::string& line, const Tick& tick);

/// The same as a new string.
std::string tick_to_json(const Tick& tick);

/// Parses one line. Unknown members are ignored, so that newer journals stay readable.
/// Errors: malformed, naming the member that is missing or wrong; unsupported for another schema.
Result<Tick> tick_from_json(std::string_view line);

}  // namespace kvpsi
