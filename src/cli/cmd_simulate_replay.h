// SPDX-License-Identifier: MIT
// `kvpsi simulate --replay JOURNAL`: shows that the law decides again what it decided, or what
// another configuration would have decided. Next hop: sim/replay.h.
#pragma once

#include <string>

#include "cli/command.h"

namespace kvpsi {

struct ReplayOptions {
  std::string journal;        ///< file that --journal wrote
  std::string policy_config;  ///< constants to try instead; empty = reproduce
};

/// Prints the report and returns the exit code: 0 when all is reproduced (or the comparison was
/// shown), 1 when something differs or nothing could be compared, 2 and 3 for the files.
int run_replay(const ReplayOptions& options, const CommonOptions& common);

}  // namespace kvpsi
