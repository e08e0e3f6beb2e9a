// SPDX-License-Identifier: MIT
// Lays the panels out and runs gnuplot; see sim_plot.h. Colours are Okabe and Ito's, which also the
// colour-blind tell apart.
#include "report/sim_plot.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <string_view>

#include "linux/fd.h"
#include "report/gnuplot_text.h"
#include "report/program.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kGnuplotTimeoutUs = 60'000'000;
constexpr int kLeastPanelWidth = 340;
constexpr int kRowHeights[] = {120, 120, 170, 80};
constexpr int kRows = 4;
constexpr int kLeft = 102;
constexpr int kRight = 24;
constexpr int kColumnGap = 20;
constexpr int kRowGap = 16;
constexpr int kTop = 112;    // titles, the columns' names and subtitles
constexpr int kBottom = 84;  // tics and label of the time axis, legend
constexpr int kLeastWidth = 860;
constexpr double kGib = 1024;  // in MiB

/// Ranges of a page's rows, over all columns.
struct Ranges {
  double headroom_low = 0;  ///< 0 or below
  double headroom_high = 1;
  double kv_high = 1;
  double headroom_scale = 1;  ///< 1 for MiB, 1024 for GiB
  double kv_scale = 1;
};

double scale_of(double most_mib) { return most_mib >= 4 * kGib ? kGib : 1; }

std::string_view unit_of(double scale) { return scale > 1 ? "GiB" : "MiB"; }

Ranges ranges_of(const SimPlotPage& page) {
  Ranges ranges;
  double low = 0;
  double high = 0;
  double kv = 0;
  for (const SimPlotColumn& column : page.columns) {
    for (const SimPoint& p : column.points) {
      low = std::min(low, p.headroom_mib);
      high = std::max(high, p.headroom_mib);
      kv = std::max({kv, p.kv_live_mib, p.kv_resident_mib, p.kv_wanted_mib, p.budget_mib});
    }
  }
  ranges.headroom_scale = scale_of(std::max(high, -low));
  ranges.headroom_high = round_up(high * 1.05 / ranges.headroom_scale);
  ranges.headroom_low = low < 0 ? -round_up(-low * 1.05 / ranges.headroom_scale) : 0;
  ranges.kv_scale = scale_of(kv);
  ranges.kv_high = round_up(kv * 1.05 / ranges.kv_scale);
  return ranges;
}

struct Layout {
  PageSize size;
  int panel_width = kLeastPanelWidth;

  PixelBox panel(int row, int column) const {
    int top = kTop;
    for (int i = 0; i < row; ++i) top += kRowHeights[i] + kRowGap;
    const int left = kLeft + column * (panel_width + kColumnGap);
    return {left, left + panel_width, top, top + kRowHeights[row]};
  }
};

Layout layout_of(const SimPlotPage& page) {
  const int n = std::max(1, static_cast<int>(page.columns.size()));
  const int beside = kLeft + (n - 1) * kColumnGap + kRight;
  Layout layout;
  layout.panel_width = std::max(kLeastPanelWidth, (kLeastWidth - beside) / n);
  layout.size.width = beside + n * layout.panel_width;
  layout.size.height = kTop + kBottom + (kRows - 1) * kRowGap;
  for (const int row : kRowHeights) layout.size.height += row;
  return layout;
}

std::string data_blocks(const SimPlotPage& page) {
  std::string out;
  for (std::size_t c = 0; c < page.columns.size(); ++c) {
    out += fmt::format("$run{} << EOD\n{}EOD\n", c, sim_trace_rows(page.columns[c].points));
  }
  return out;
}

std::string draw_stall(std::size_t c) {
  return fmt::format(
      "set yrange [0:100]; set ytics 25\n"
      "plot $run{0} using 1:2 with filledcurves y1=0 lc rgb '#e8b089' notitle, "
      "'' using 1:2 with lines lw 1.5 lc rgb '#d55e00' notitle, "
      "'' using 1:3 with lines lw 1 lc rgb '#888888' notitle\n",
      c);
}

std::string draw_headroom(std::size_t c, const Ranges& ranges) {
  return fmt::format(
      "set yrange [{1:.6g}:{2:.6g}]; set ytics {3:.6g}\n"
      "plot $run{0} using 1:($4/{4}) with filledcurves y1=0 lc rgb '#9fdcc6' notitle, "
      "'' using 1:($4/{4}) with lines lw 1.5 lc rgb '#009e73' notitle, "
      "0 with lines lw 1 lc rgb '#666666' notitle\n",
      c, ranges.headroom_low, ranges.headroom_high,
      tic_step(ranges.headroom_high - ranges.headroom_low), ranges.headroom_scale);
}

std::string draw_kv(std::size_t c, const Ranges& ranges) {
  return fmt::format(
      "set yrange [0:{1:.6g}]; set ytics {2:.6g}\n"
      "plot $run{0} using 1:($5/{3}) with filledcurves y1=0 lc rgb '#8fc1e3' notitle, "
      "'' using 1:($6/{3}) with lines lw 1.8 lc rgb '#0072b2' notitle, "
      "'' using 1:($7/{3}) with lines lw 1.2 lc rgb '#cc79a7' notitle, "
      "'' using 1:($8/{3}) with lines lw 1.5 dt 2 lc rgb '#000000' notitle\n",
      c, ranges.kv_high, tic_step(ranges.kv_high), ranges.kv_scale);
}

std::string draw_level(std::size_t c, bool first) {
  return fmt::format(
      "set yrange [0:3.2]; set ytics ({})\n"
      "plot $run{} using 1:9 with fillsteps fs solid lc rgb '#f0e442' notitle, "
      "'' using 1:9 with steps lw 1.5 lc rgb '#8a7f00' notitle\n",
      first ? "'calm' 0, 'elevated' 1, 'high' 2, 'critical' 3" : "'' 0, '' 1, '' 2, '' 3", c);
}

/// A run that ended early: where, and why nothing follows.
std::string mark_of_end(const SimPlotColumn& column, bool with_name) {
  if (!column.is_killed || column.points.empty()) return "unset arrow 2; unset label 99\n";
  const double t_s = column.points.back().t_s;
  std::string out = fmt::format(
      "set arrow 2 from {0:.6g},graph 0 to {0:.6g},graph 1 nohead front lw 2 lc rgb '#d50000'\n",
      t_s);
  if (!with_name) return out + "unset label 99\n";
  return out + fmt::format(
                   "set label 99 ' killed' at {:.6g},graph 0.9 left front font ',10' tc rgb "
                   "'#d50000'\n",
                   t_s);
}

std::string draw_panel(const SimPlotPage& page, std::size_t c, int row, const Ranges& ranges,
                       const Layout& layout) {
  std::string out = set_margins(layout.size, layout.panel(row, static_cast<int>(c)));
  out += mark_of_end(page.columns[c], row == 0);
  out += c == 0 ? "set format y '%g'\n" : "set format y ''\n";
  out += row == kRows - 1 ? "set format x '%g'; set xlabel 'time, s' offset 0,0.4\n"
                          : "set format x ''; unset xlabel\n";
  switch (row) {
    case 0:
      return out + draw_stall(c);
    case 1:
      return out + draw_headroom(c, ranges);
    case 2:
      return out + draw_kv(c, ranges);
    default:
      return out + draw_level(c, c == 0);
  }
}

struct LegendEntry {
  const char* name;
  const char* colour;
  const char* sign;
  int width;
};

/// Below the panels: inside one it would hide curves.
std::string legend(const SimPlotPage& page, const PageSize& size, int& id) {
  constexpr LegendEntry kEntries[] = {
      {"own stall", "#d55e00", "■", 84},   {"others' stall", "#888888", "■", 104},
      {"headroom", "#009e73", "■", 88},    {"KV live", "#8fc1e3", "■", 72},
      {"KV resident", "#0072b2", "━", 98}, {"KV unhindered", "#cc79a7", "━", 116},
      {"budget", "#000000", "╌", 70},      {"relief", "#555555", "┊", 50},
  };
  std::string out;
  int x = kLeft - 70;
  for (const LegendEntry& entry : kEntries) {
    if (!page.relief_s && std::string_view(entry.name) == "relief") continue;
    out += page_label(id, size, entry.sign, x, size.height - 18,
                      fmt::format("left tc rgb '{}'", entry.colour));
    out += page_label(id, size, entry.name, x + 16, size.height - 18, "left font ',10'");
    x += entry.width;
  }
  return out;
}

std::string labels(const SimPlotPage& page, const Ranges& ranges, const Layout& layout) {
  const PageSize& size = layout.size;
  int id = 0;
  std::string out = page_label(id, size, page.title, 20, 24, "left font ',14'");
  out += page_label(id, size, page.subtitle, 20, 46, "left font ',10' tc rgb '#444444'");
  const std::string names[kRows] = {"stall, %",
                                    fmt::format("headroom, {}", unit_of(ranges.headroom_scale)),
                                    fmt::format("KV, {}", unit_of(ranges.kv_scale)), "level"};
  for (int row = 0; row < kRows; ++row) {
    const PixelBox box = layout.panel(row, 0);
    out += page_label(id, size, names[row], 16, (box.top + box.bottom) / 2,
                      "center rotate by 90 font ',11'");
  }
  for (std::size_t c = 0; c < page.columns.size(); ++c) {
    const PixelBox box = layout.panel(0, static_cast<int>(c));
    const int middle = (box.left + box.right) / 2;
    out += page_label(id, size, page.columns[c].title, middle, box.top - 32, "center font ',12'");
    out += page_label(id, size, page.columns[c].subtitle, middle, box.top - 14,
                      "center font ',10' tc rgb '#444444'");
  }
  return out + legend(page, size, id);
}

/// A file without a name, so that nothing is left of it however this program ends. gnuplot inherits
/// the descriptor, which is therefore open across exec, and finds it under path().
class NamelessFile {
 public:
  NamelessFile() : fd_(::memfd_create("kvpsi-plot", 0)) {
    if (!fd_.is_open()) errno_value_ = errno;
  }

  std::string path() const { return fmt::format("/proc/self/fd/{}", fd_.get()); }
  int errno_value() const { return errno_value_; }

  bool write(std::string_view text) {
    while (!text.empty() && errno_value_ == 0) {
      const ssize_t n = ::write(fd_.get(), text.data(), text.size());
      if (n < 0 && errno != EINTR) errno_value_ = errno;
      if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
    }
    return errno_value_ == 0;
  }

  std::string read() const {
    std::string text;
    std::array<char, 64 * 1024> piece;
    while (true) {
      const ssize_t n =
          ::pread(fd_.get(), piece.data(), piece.size(), static_cast<off_t>(text.size()));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return text;
      text.append(piece.data(), static_cast<std::size_t>(n));
    }
  }

 private:
  UniqueFd fd_;
  int errno_value_ = 0;
};

}  // namespace

bool is_picture_name(const std::string& path) {
  return path.ends_with(".svg") || path.ends_with(".png");
}

std::string sim_plot_script(const SimPlotPage& page, bool as_svg, const std::string& output) {
  const Layout layout = layout_of(page);
  const Ranges ranges = ranges_of(page);
  std::string out = fmt::format(
      "set encoding utf8\nset datafile separator tab\n"
      "set terminal {} size {},{} font 'DejaVu Sans,{}' background '#ffffff'\n"
      "set output '{}'\n",
      as_svg ? "svg" : "pngcairo", layout.size.width, layout.size.height, as_svg ? 11 : 9, output);
  out += data_blocks(page);
  out +=
      "set multiplot\nset border 3 lc rgb '#666666'\nset tics out nomirror\n"
      "set grid ytics lc rgb '#e4e4e4'\n";
  out += fmt::format("set xrange [0:{:.6g}]\n", page.duration_s);
  if (page.relief_s) {
    out += fmt::format(
        "set arrow 1 from {0:.6g},graph 0 to {0:.6g},graph 1 nohead front lw 1.5 lc rgb '#555555' "
        "dt 3\n",
        *page.relief_s);
  }
  out += labels(page, ranges, layout);
  for (std::size_t c = 0; c < page.columns.size(); ++c) {
    for (int row = 0; row < kRows; ++row) {
      out += draw_panel(page, c, row, ranges, layout);
      // Labels belong to the page; drawn once, with the first panel.
      if (c == 0 && row == 0) out += "unset label\n";
    }
  }
  return out + "unset multiplot\nset output\n";
}

Result<void> write_sim_plot(const SimPlotPage& page, const std::string& path,
                            const std::string& gnuplot) {
  NamelessFile script;
  const NamelessFile picture;
  script.write(sim_plot_script(page, path.ends_with(".svg"), picture.path()));
  if (const int reason = std::max(script.errno_value(), picture.errno_value()); reason != 0) {
    return fail(ErrorCode::io, "cannot keep the plot in memory", path, reason);
  }
  const auto end = run_program(gnuplot, {script.path()}, {}, kGnuplotTimeoutUs);
  if (!end) return std::unexpected(end.error());
  const std::string drawn = picture.read();
  if (end->exit_code != 0 || drawn.empty()) {
    return fail(ErrorCode::unsupported,
                fmt::format("gnuplot could not draw it: {}", end->output.substr(0, 200)), path);
  }
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  file << drawn;
  file.close();
  if (!file) return fail(ErrorCode::io, "cannot write the picture", path, errno);
  return {};
}

}  // namespace kvpsi
