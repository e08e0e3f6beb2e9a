// SPDX-License-Identifier: MIT
// The gnuplot script of the benchmark's picture: blocks below one another (squeezes), in each three
// rows (pressure, memory by kind, speed) and one column a variant. All columns of a block share
// their axes, so that the eye may compare. Pure: text in, text out. Next hop: plot runs it.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace kvpsi {

/// One column: a run and the files that hold its curves (names relative to the script).
struct PlotColumn {
  std::string title;        ///< "psi"
  std::string subtitle;     ///< "37.9 tok/s, own stall 0.1 %"
  std::string memory_file;  ///< empty: the run left nothing to draw; its title and panels stay
  std::string tokens_file;
  std::string actions_file;        ///< empty: no actions to mark
  std::optional<double> room_mib;  ///< what the limit leaves beside the neighbour
};

/// One squeeze. The ranges are those of the widest column.
struct PlotBlock {
  std::string title;
  std::vector<PlotColumn> columns;
  double t_min_s = 0;
  double t_max_s = 1;
  double memory_max_mib = 1;
  double tok_s_max = 1;
};

struct PlotPage {
  std::string title;
  std::string footnote;
  std::string base_name;  ///< the picture is <base_name>.svg and <base_name>.png
  std::vector<PlotBlock> blocks;
};

/// The whole script. Text in it is quoted, whatever it holds.
std::string plot_script(const PlotPage& page);

}  // namespace kvpsi
