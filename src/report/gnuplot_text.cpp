// SPDX-License-Identifier: MIT
// See gnuplot_text.h.
#include "report/gnuplot_text.h"

#include <fmt/core.h>

#include <cmath>

namespace kvpsi {

std::string quote_for_gnuplot(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c == '\n' || c == '\r' ? ' ' : c == '{' ? '(' : c == '}' ? ')' : c;
  }
  return out + "'";
}

double tic_step(double max) {
  const double unit = std::pow(10, std::floor(std::log10(max / 4)));
  for (const double step : {1.0, 2.0, 2.5, 5.0}) {
    if (step * unit * 4 >= max) return step * unit;
  }
  return 10 * unit;
}

double round_up(double value) {
  if (!(value > 0)) return 1;
  const double unit = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0}) {
    if (step * unit >= value) return step * unit;
  }
  return 10 * unit;
}

std::string page_label(int& id, const PageSize& page, std::string_view text, int x, int y,
                       std::string_view style) {
  return fmt::format("set label {} {} at screen {:.5f},{:.5f} noenhanced {}\n", ++id,
                     quote_for_gnuplot(text), page.x(x), page.y(y), style);
}

std::string set_margins(const PageSize& page, const PixelBox& box) {
  return fmt::format(
      "set lmargin at screen {:.5f}; set rmargin at screen {:.5f}\n"
      "set tmargin at screen {:.5f}; set bmargin at screen {:.5f}\n",
      page.x(box.left), page.x(box.right), page.y(box.top), page.y(box.bottom));
}

}  // namespace kvpsi
