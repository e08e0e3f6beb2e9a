// SPDX-License-Identifier: MIT
// What a series of real squeezes leaves on disk, schema `kvpsi.bench-reality/1`, and how it is read
// back to go on with it. Journals lie beside it; their times are read from them anew each time, so
// that a corrected reading needs no new measuring. Next hop: reality writes it, reality_rows
// judges.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/reality_plan.h"
#include "bench/results.h"
#include "bench/squeeze_times.h"

namespace kvpsi {

/// One real squeeze.
struct RealityRun {
  SqueezeKind kind = SqueezeKind::step_lossy;
  std::uint32_t repetition = 0;
  std::string exit = "ok";  ///< or why it does not count
  std::string journal;      ///< file name beside the record
  std::uint64_t limit_bytes = 0;
  std::uint64_t onset_us = 0;
  std::uint64_t relief_us = 0;
  std::uint64_t decode_end_us = 0;
  std::uint64_t oom_kills = 0;
  SqueezeTimes times;  ///< from the journal; not part of what is read back

  bool counts() const { return exit == "ok" && times.calm_at_onset; }
};

/// One comparison or one aim.
struct RealityRow {
  std::string squeeze;
  std::string metric;
  std::string unit;
  std::uint32_t n_real = 0;
  double real_median = 0;
  double real_lo = 0;
  double real_hi = 0;
  std::uint32_t n_simulated = 0;  ///< 0: nothing simulated to compare with
  double simulated_median = 0;
  double simulated_lo = 0;
  double simulated_hi = 0;
  double ratio = 0;     ///< real / simulated, 0: none
  double ratio_lo = 0;  ///< 95 % interval of the median
  double ratio_hi = 0;
  std::string verdict;  ///< within, outside, inconclusive; empty: no aim
  std::string words;    ///< why
};

struct RealityRecord {
  BenchContext context;
  RealitySizes sizes;
  std::uint32_t repetitions = 0;  ///< wanted of each squeeze
  std::uint64_t seeds = 0;
  std::vector<RealityRun> runs;
  std::vector<RealityRow> rows;
  std::vector<std::string> missing;  ///< what was asked for and is not there
};

std::string to_json(const RealityRecord& record);

/// Context's identity, sizes and runs; rows and times are made anew. Errors: malformed.
Result<RealityRecord> parse_reality(std::string_view json, const std::string& path = {});

}  // namespace kvpsi
