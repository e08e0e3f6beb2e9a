// SPDX-License-Identifier: MIT
// The picture of a benchmark: picks the median run of each variant, writes its curves as .tsv and a
// gnuplot script beside results.json, and draws SVG and PNG if gnuplot is there. Without it the
// script stays for later: never a failure of the benchmark. Next hops: plot_series, plot_script.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "bench/results.h"

namespace kvpsi {

struct PlotOptions {
  std::string out_dir;             ///< where results.json, journals and summaries are
  std::string base_name = "plot";  ///< plot.gp, plot.svg, plot.png, plot-S1-psi-memory.tsv ...
  std::string gnuplot;             ///< program to draw with; empty: only write the script
};

/// Paths are as written: out_dir and a file name.
struct PlotFiles {
  std::vector<std::string> pictures;  ///< empty if nothing was drawn
  std::vector<std::string> data;      ///< script and curves
  std::vector<std::string> notes;     ///< one line each: what is missing in the picture and why
};

/// Errors: io where the script or the curves cannot be written. Runs whose journal or summary is
/// missing or cut are left out with a note; if none is left, nothing is written but a note.
Result<PlotFiles> write_plot(const BenchResults& results, const PlotOptions& options);

/// The run whose speed is the median of its squeeze and variant (of two middle ones the slower),
/// well-ended runs before others; nullptr where there is none with a journal and a summary.
const Trial* median_trial(const BenchResults& results, Squeeze squeeze, Variant variant);

}  // namespace kvpsi
