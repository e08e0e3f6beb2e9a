// SPDX-License-Identifier: MIT
// `kvpsi bench --at-rest`: what governing costs while nobody is short of memory.
// Next hop: llama/at_rest.h measures, bench/stats.h judges.
#pragma once

#include <cstdint>
#include <string>

#include "cli/command.h"

namespace kvpsi {

struct AtRestCommand {
  std::string model;
  std::uint32_t pairs = 300;
  std::uint32_t threads = 1;
  std::uint64_t seed = 1;
};

/// Runs and prints the comparison. Exit code 1 when the interval of the speed ratio or the equality
/// of the logits contradicts "costs nothing measurable".
int run_at_rest(const AtRestCommand& options, const CommonOptions& common);

}  // namespace kvpsi
