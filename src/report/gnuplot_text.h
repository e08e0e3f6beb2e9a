// SPDX-License-Identifier: MIT
// Pieces of gnuplot commands that several pictures share: quoted text, ranges, and places on a page
// that is laid out in pixels. Pure. Next hops: plot_script.cpp, sim_plot.cpp.
#pragma once

#include <string>
#include <string_view>

namespace kvpsi {

/// A gnuplot string: single quotes know no escapes but the doubled quote. A line end would end the
/// command, and a brace a loop around it, since gnuplot counts braces inside strings too.
std::string quote_for_gnuplot(std::string_view text);

/// About four steps from 0 to `max`, each a number that reads well.
double tic_step(double max);

/// A number not below `value` that reads well on an axis; 1 for none.
double round_up(double value);

/// The page, in pixels from its top left corner.
struct PageSize {
  int width = 0;
  int height = 0;

  /// As gnuplot's screen coordinates, whose origin is the lower left corner.
  double x(int pixel) const { return static_cast<double>(pixel) / width; }
  double y(int pixel) const { return 1.0 - static_cast<double>(pixel) / height; }
};

/// Pixel box, y from the top.
struct PixelBox {
  int left = 0;
  int right = 0;
  int top = 0;
  int bottom = 0;
};

/// Text at a place of the page; `id` counts them. `style`: "left font ',13'".
std::string page_label(int& id, const PageSize& page, std::string_view text, int x, int y,
                       std::string_view style);

/// The box that the next plot fills.
std::string set_margins(const PageSize& page, const PixelBox& box);

}  // namespace kvpsi
