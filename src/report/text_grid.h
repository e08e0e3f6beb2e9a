// SPDX-License-Identifier: MIT
// A table of text with aligned columns, and the few things around it: UTF-8 width, colour,
// wrapping. Pure: makes strings, prints nothing. Next hop: table.cpp and doctor_text.cpp lay their
// rows out with it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvpsi {

enum class Align : std::uint8_t { left, right };

/// ANSI styles; a style is only written where the caller asked for colour.
enum class Style : std::uint8_t { plain, bold, dim, red, yellow, green };

/// The text in that style if `colour`, else unchanged.
std::string style_text(Style style, std::string_view text, bool colour);

/// Columns that the text takes on a terminal: code points, not bytes. Knows no double-width
/// characters; our tables use none.
std::size_t display_width(std::string_view utf8);

/// Breaks at spaces so that no line is wider than `columns` (0: no break), each line after
/// `indent` spaces. Lines end without a newline; an empty text gives one empty line.
std::vector<std::string> wrap_text(std::string_view text, std::size_t columns, std::size_t indent);

/// One column: its name in two lines (the upper one may be empty).
struct GridColumn {
  std::string upper;
  std::string lower;
  Align align = Align::right;
};

struct GridCell {
  std::string text;
  Style style = Style::plain;
};

/// Rows under named columns. Not thread-safe.
class TextGrid {
 public:
  explicit TextGrid(std::vector<GridColumn> columns) : columns_(std::move(columns)) {}

  /// As many cells as columns.
  void add_row(std::vector<GridCell> cells);
  /// A thin empty line between groups of rows.
  void add_gap() { rows_.emplace_back(); }

  /// All columns side by side where they fit into `columns` (0: always), else in several tables
  /// below one another, each repeating the first `keys` columns. Ends in a newline.
  std::string render(std::size_t columns, std::size_t keys, bool colour) const;

 private:
  std::vector<std::size_t> column_widths() const;
  std::string render_part(const std::vector<std::size_t>& picked,
                          const std::vector<std::size_t>& widths, bool colour) const;

  std::vector<GridColumn> columns_;
  std::vector<std::vector<GridCell>> rows_;  // an empty row is a gap
};

}  // namespace kvpsi
