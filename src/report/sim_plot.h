// SPDX-License-Identifier: MIT
// The picture of a simulated run: rows for pressure, headroom, KV and level over time, one column a
// law, all columns with the same axes. Draws with gnuplot. Next hops: report/sim_trace.h (the
// curves), report/program.h (runs it).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "report/sim_trace.h"

namespace kvpsi {

struct SimPlotColumn {
  std::string title;     ///< "kvpsi"
  std::string subtitle;  ///< "own stall 1.2 s, 0 tokens lost"
  std::vector<SimPoint> points;
  bool is_killed = false;  ///< the run ends with its last point, which is marked
};

struct SimPlotPage {
  std::string title;     ///< "step_lossy, seed 1"
  std::string subtitle;  ///< what happens in it
  double duration_s = 0;
  std::optional<double> relief_s;  ///< marked in all panels
  std::vector<SimPlotColumn> columns;
};

/// Whether `path` ends in .svg or .png.
bool is_picture_name(const std::string& path);

/// The script, data included; draws to the file `output`, as SVG or PNG.
std::string sim_plot_script(const SimPlotPage& page, bool as_svg, const std::string& output);

/// Draws to `path` (see is_picture_name) with the program `gnuplot`. Leaves no other file, also
/// when it is interrupted. Errors: io, with the path, where nothing can be written; what gnuplot
/// said where it failed.
Result<void> write_sim_plot(const SimPlotPage& page, const std::string& path,
                            const std::string& gnuplot);

}  // namespace kvpsi
