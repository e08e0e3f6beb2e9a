// SPDX-License-Identifier: MIT
// Alignment, wrapping and splitting of text tables; see text_grid.h.
#include "report/text_grid.h"

#include <algorithm>

#include "base/assert.h"

namespace kvpsi {
namespace {

constexpr std::size_t kColumnGap = 2;

std::string pad(std::string_view text, std::size_t width, Align align) {
  const std::size_t have = display_width(text);
  const std::string space(have < width ? width - have : 0, ' ');
  return align == Align::left ? std::string(text) + space : space + std::string(text);
}

void end_line(std::string& out) {
  while (!out.empty() && out.back() == ' ') out.pop_back();
  out += '\n';
}

}  // namespace

std::string style_text(Style style, std::string_view text, bool colour) {
  if (!colour || style == Style::plain || text.empty()) return std::string(text);
  const char* code = "";
  switch (style) {
    case Style::plain:
      break;
    case Style::bold:
      code = "\x1b[1m";
      break;
    case Style::dim:
      code = "\x1b[2m";
      break;
    case Style::red:
      code = "\x1b[31m";
      break;
    case Style::yellow:
      code = "\x1b[33m";
      break;
    case Style::green:
      code = "\x1b[32m";
      break;
  }
  return code + std::string(text) + "\x1b[0m";
}

std::size_t display_width(std::string_view utf8) {
  // Bytes 10xxxxxx continue a code point.
  return static_cast<std::size_t>(std::ranges::count_if(
      utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::vector<std::string> wrap_text(std::string_view text, std::size_t columns, std::size_t indent) {
  const std::string margin(indent, ' ');
  std::vector<std::string> lines;
  std::string line = margin;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    const bool fresh = line.size() == margin.size();
    if (!fresh && columns > 0 && display_width(line) + 1 + display_width(word) > columns) {
      lines.push_back(line);
      line = margin + std::string(word);
    } else {
      line += (fresh ? "" : " ") + std::string(word);
    }
    if (space == std::string_view::npos) break;
    text.remove_prefix(space + 1);
  }
  lines.push_back(line);
  return lines;
}

void TextGrid::add_row(std::vector<GridCell> cells) {
  KVPSI_ASSERT(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> TextGrid::column_widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width =
        std::max(display_width(columns_[c].upper), display_width(columns_[c].lower));
    for (const auto& row : rows_) {
      if (!row.empty()) width = std::max(width, display_width(row[c].text));
    }
    widths.push_back(width);
  }
  return widths;
}

std::string TextGrid::render_part(const std::vector<std::size_t>& picked,
                                  const std::vector<std::size_t>& widths, bool colour) const {
  std::string out;
  const std::string gap(kColumnGap, ' ');
  const bool two_lines =
      std::ranges::any_of(picked, [&](std::size_t c) { return !columns_[c].upper.empty(); });
  for (const bool upper : {true, false}) {
    if (upper && !two_lines) continue;
    std::string line;
    for (const std::size_t c : picked) {
      const GridColumn& column = columns_[c];
      if (c != picked.front()) line += gap;
      line += pad(upper ? column.upper : column.lower, widths[c], column.align);
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += style_text(Style::bold, line, colour) + '\n';
  }
  for (const auto& row : rows_) {
    for (const std::size_t c : picked) {
      if (row.empty()) break;
      if (c != picked.front()) out += gap;
      out += style_text(row[c].style, pad(row[c].text, widths[c], columns_[c].align), colour);
    }
    end_line(out);
  }
  return out;
}

std::string TextGrid::render(std::size_t columns, std::size_t keys, bool colour) const {
  KVPSI_ASSERT(keys <= columns_.size());
  const std::vector<std::size_t> widths = column_widths();
  std::vector<std::size_t> key_columns;
  std::size_t key_width = 0;
  for (std::size_t c = 0; c < keys; ++c) {
    key_columns.push_back(c);
    key_width += widths[c] + kColumnGap;
  }
  std::string out;
  std::vector<std::size_t> picked = key_columns;
  std::size_t width = key_width;
  for (std::size_t c = keys; c < columns_.size(); ++c) {
    if (columns > 0 && picked.size() > keys && width + widths[c] > columns) {
      out += render_part(picked, widths, colour) + "\n";
      picked = key_columns;
      width = key_width;
    }
    picked.push_back(c);
    width += widths[c] + kColumnGap;
  }
  return out + render_part(picked, widths, colour);
}

}  // namespace kvpsi
