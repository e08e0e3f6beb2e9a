// SPDX-License-Identifier: MIT
// GET /kvpsi/metrics: the snapshot as OpenMetrics (docs/metrics.md lists the families). Pure.
// Next hop: report/openmetrics.h spells it.
#pragma once

#include <string>

#include "serve/snapshot.h"

namespace kvpsi {

/// Families whose source the machine lacks are left out.
std::string make_metrics(const ServerSnapshot& snapshot);

}  // namespace kvpsi
