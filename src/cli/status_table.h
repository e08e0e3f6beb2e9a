// SPDX-License-Identifier: MIT
// "What holds memory": a kvpsi.status/1 document as a table for people. Pure. Next hop: cmd_status.
#pragma once

#include <string>

#include "base/result.h"

namespace kvpsi {

/// Renders one status document (a JSON line, schema kvpsi.status/1), which may come from anybody:
/// what it prints is safe for a terminal. Errors: malformed.
Result<std::string> render_status(const std::string& document);

}  // namespace kvpsi
