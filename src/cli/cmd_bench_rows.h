// SPDX-License-Identifier: MIT
// `kvpsi bench --rows`: rows read back against rows computed anew, and decoding after a trim.
// Next hop: llama/rows_cost.h measures, bench/stats.h judges.
#pragma once

#include <cstdint>
#include <string>

#include "cli/command.h"

namespace kvpsi {

struct RowsCommand {
  std::string model;
  std::string spill_dir;  ///< empty: as `kvpsi run` chooses
  std::uint32_t threads = 1;
  std::uint64_t seed = 1;
};

/// Runs and prints the comparison. Exit code 1 when reading back is less than twenty times as fast,
/// a logit differs, or decoding after trim and compaction is slower than its claim.
int run_rows(const RowsCommand& options, const CommonOptions& common);

}  // namespace kvpsi
