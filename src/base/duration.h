// SPDX-License-Identifier: MIT
// Times as people write them: "60s", "1.5m", "250ms". Pure; no locale. Next hop: cli options.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace kvpsi {

/// Parses "250ms", "60", "60s", "1.5 m", "2h" (case-insensitive, seconds where there is no unit)
/// into microseconds. Errors: invalid_argument for anything else, negative, or over a hundred
/// years.
Result<std::uint64_t> parse_duration_us(std::string_view text);

}  // namespace kvpsi
