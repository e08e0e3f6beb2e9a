// SPDX-License-Identifier: MIT
// Lays the panels out and writes gnuplot's commands; see plot_script.h. Positions are fractions of
// the page because multiplot's own layout leaves no room for block titles. Colours are Okabe and
// Ito's, which also the colour-blind tell apart.
#include "report/plot_script.h"

#include <fmt/core.h>

#include <algorithm>

#include "report/gnuplot_text.h"

namespace kvpsi {
namespace {

constexpr int kPanelWidth = 300;
constexpr int kRowHeight = 150;
constexpr int kRows = 3;
constexpr int kLeft = 84;
constexpr int kRight = 24;
constexpr int kColumnGap = 18;
constexpr int kRowGap = 14;
constexpr int kPageTop = 40;
constexpr int kBlockTop = 84;     // title, subtitle and the columns' names
constexpr int kBlockBottom = 52;  // tics and label of the time axis
constexpr int kPageBottom = 62;   // legend and footnote
constexpr int kLeastColumns = 2;

int block_height() { return kBlockTop + kRows * kRowHeight + (kRows - 1) * kRowGap + kBlockBottom; }

PageSize layout_of(const PlotPage& page) {
  std::size_t columns = kLeastColumns;
  for (const PlotBlock& block : page.blocks) columns = std::max(columns, block.columns.size());
  const int n = static_cast<int>(columns);
  return {kLeft + n * kPanelWidth + (n - 1) * kColumnGap + kRight,
          kPageTop + static_cast<int>(page.blocks.size()) * block_height() + kPageBottom};
}

/// Panels of a block with fewer columns than the widest keep the common width.
PixelBox panel_box(int block, int row, int column) {
  const int top = kPageTop + block * block_height() + kBlockTop + row * (kRowHeight + kRowGap);
  const int left = kLeft + column * (kPanelWidth + kColumnGap);
  return {left, left + kPanelWidth, top, top + kRowHeight};
}

std::string begin_panel(const PageSize& layout, const PixelBox& box, bool first_column,
                        bool last_row) {
  std::string out = set_margins(layout, box);
  out += first_column ? "set format y '%g'\n" : "set format y ''\n";
  out += last_row ? "set format x '%g'; set xlabel 'seconds of decoding' offset 0,0.4\n"
                  : "set format x ''; unset xlabel\n";
  return out;
}

std::string y_range(double max) {
  return fmt::format("set yrange [0:{:.6g}]; set ytics {:.6g}\n", max, tic_step(max));
}

std::string draw_stall(const PlotColumn& column) {
  return y_range(100) + fmt::format(
                            "plot {} using 1:2 with filledcurves y1=0 lc rgb '#e8b089' notitle, "
                            "'' using 1:2 with lines lw 1.5 lc rgb '#d55e00' notitle\n",
                            quote_for_gnuplot(column.memory_file));
}

std::string draw_memory(const PlotColumn& column, const PlotBlock& block) {
  std::string out = y_range(block.memory_max_mib);
  out += fmt::format(
      "plot {} using 1:($3+$4+$5+$6) with filledcurves y1=0 lc rgb '#cc79a7' notitle, "
      "'' using 1:($3+$4+$5) with filledcurves y1=0 lc rgb '#e69f00' notitle, "
      "'' using 1:($3+$4) with filledcurves y1=0 lc rgb '#0072b2' notitle, "
      "'' using 1:3 with filledcurves y1=0 lc rgb '#b9c0c8' notitle, "
      "'' using 1:($8>0 ? $8 : NaN) with lines lw 1.8 lc rgb '#56b4e9' notitle",
      quote_for_gnuplot(column.memory_file));
  if (column.room_mib) {
    out +=
        fmt::format(", {:.6g} with lines lw 1.5 dt 2 lc rgb '#000000' notitle", *column.room_mib);
  }
  if (!column.actions_file.empty()) {
    const std::string file = quote_for_gnuplot(column.actions_file);
    out += fmt::format(
        ", {0} using 1:($2>0 ? {1:.6g} : NaN) with points pt 11 ps 0.7 lc rgb '#000000' notitle"
        ", {0} using 1:($3>0 ? {1:.6g} : NaN) with points pt 13 ps 1.1 lc rgb '#d50000' notitle",
        file, 0.95 * block.memory_max_mib);
  }
  return out + "\n";
}

std::string draw_tokens(const PlotColumn& column, const PlotBlock& block) {
  return y_range(block.tok_s_max) +
         fmt::format("plot {} using 1:2 with histeps lw 1.8 lc rgb '#009e73' notitle\n",
                     quote_for_gnuplot(column.tokens_file));
}

std::string draw_panel(const PlotColumn& column, const PlotBlock& block, int row) {
  if (column.memory_file.empty()) {
    const double top = row == 0 ? 100 : row == 1 ? block.memory_max_mib : block.tok_s_max;
    return y_range(top) + "plot NaN notitle\n";
  }
  switch (row) {
    case 0:
      return draw_stall(column);
    case 1:
      return draw_memory(column, block);
    default:
      return draw_tokens(column, block);
  }
}

std::string block_labels(const PlotBlock& block, int index, const PageSize& layout, int& id) {
  const int top = kPageTop + index * block_height();
  std::string out = page_label(id, layout, block.title, kLeft, top + 22, "left font ',13'");
  // As labels of the page they line up, whatever the width of the tics' numbers.
  constexpr const char* kRowNames[kRows] = {"own stall, %", "memory, MiB", "tokens/s"};
  for (int row = 0; row < kRows; ++row) {
    const PixelBox box = panel_box(index, row, 0);
    out += page_label(id, layout, kRowNames[row], 20, (box.top + box.bottom) / 2,
                      "center rotate by 90 font ',11'");
  }
  for (std::size_t c = 0; c < block.columns.size(); ++c) {
    const PixelBox box = panel_box(index, 0, static_cast<int>(c));
    const int middle = (box.left + box.right) / 2;
    out +=
        page_label(id, layout, block.columns[c].title, middle, box.top - 30, "center font ',12'");
    out += page_label(id, layout, block.columns[c].subtitle, middle, box.top - 12,
                      "center font ',10' tc rgb '#444444'");
  }
  return out;
}

/// Coloured squares with names; a legend inside a panel would hide curves.
std::string legend(const PageSize& layout, int& id) {
  struct Entry {
    const char* name;
    const char* colour;
    const char* sign;
    int width;
  };
  constexpr Entry kEntries[] = {
      {"weights (file)", "#b9c0c8", "■", 112}, {"KV cache", "#0072b2", "■", 82},
      {"KV on disk", "#56b4e9", "─", 92},      {"scratch", "#e69f00", "■", 74},
      {"other", "#cc79a7", "■", 62},           {"room left", "#000000", "╌", 80},
      {"release", "#000000", "▼", 74},         {"trim", "#d50000", "◆", 50},
  };
  std::string out;
  int x = kLeft;
  const int y = layout.height - kPageBottom + 20;
  for (const Entry& entry : kEntries) {
    out += page_label(id, layout, entry.sign, x, y, fmt::format("left tc rgb '{}'", entry.colour));
    out += page_label(id, layout, entry.name, x + 16, y, "left font ',10'");
    x += entry.width;
  }
  return out;
}

std::string page_labels(const PlotPage& page, const PageSize& layout, int& id) {
  std::string out = page_label(id, layout, page.title, kLeft, 22, "left font ',15'");
  for (std::size_t b = 0; b < page.blocks.size(); ++b) {
    out += block_labels(page.blocks[b], static_cast<int>(b), layout, id);
  }
  out += legend(layout, id);
  out += page_label(id, layout, page.footnote, kLeft, layout.height - 16,
                    "left font ',9' tc rgb '#444444'");
  return out;
}

std::string draw_block(const PlotBlock& block, int index, const PageSize& layout) {
  std::string out =
      fmt::format("\n# {}\nset xrange [{:.6g}:{:.6g}]\n", index + 1, block.t_min_s, block.t_max_s);
  for (int row = 0; row < kRows; ++row) {
    for (std::size_t c = 0; c < block.columns.size(); ++c) {
      const bool first = c == 0;
      out +=
          begin_panel(layout, panel_box(index, row, static_cast<int>(c)), first, row == kRows - 1);
      out += draw_panel(block.columns[c], block, row);
      // Labels belong to the page; drawn once, with the first panel.
      if (index == 0 && row == 0 && first) out += "unset label\n";
    }
  }
  return out;
}

}  // namespace

std::string plot_script(const PlotPage& page) {
  const PageSize layout = layout_of(page);
  std::string out = fmt::format(
      "# gnuplot script of kvpsi; redraw with: gnuplot {0}.gp\n"
      "set encoding utf8\n"
      "set datafile separator tab\n"
      "set datafile missing 'nan'\n"
      "do for [kind in 'svg png'] {{\n"
      "if (kind eq 'svg') {{ set terminal svg size {1},{2} font 'DejaVu Sans,11' background "
      "'#ffffff' }}\n"
      "if (kind eq 'png') {{ set terminal pngcairo size {1},{2} font 'DejaVu Sans,9' background "
      "'#ffffff' }}\n",
      page.base_name, layout.width, layout.height);
  out += fmt::format("set output {}.kind\n", quote_for_gnuplot(page.base_name + "."));
  out +=
      "set multiplot\n"
      "set border 3 lc rgb '#666666'\n"
      "set tics out nomirror\n"
      "set grid ytics lc rgb '#e4e4e4'\n"
      "set arrow 1 from 0,graph 0 to 0,graph 1 nohead lc rgb '#999999' dt 3\n";
  int label_id = 0;
  out += page_labels(page, layout, label_id);
  for (std::size_t b = 0; b < page.blocks.size(); ++b) {
    out += draw_block(page.blocks[b], static_cast<int>(b), layout);
  }
  return out + "\nunset multiplot\nunset arrow 1\nunset label\nset output\n}\n";
}

}  // namespace kvpsi
