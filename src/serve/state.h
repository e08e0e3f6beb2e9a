// SPDX-License-Identifier: MIT
// GET /kvpsi/state: the snapshot as JSON, schema kvpsi.state/1 (docs/json-output.md). Pure.
// Next hop: journal/tick_json.h spells the last turn.
#pragma once

#include <string>
#include <string_view>

#include "serve/snapshot.h"

namespace kvpsi {

inline constexpr std::string_view kStateSchema = "kvpsi.state/1";

/// On one line. `tick` is null before the first turn; all else is always there.
std::string make_state(const ServerSnapshot& snapshot);

}  // namespace kvpsi
