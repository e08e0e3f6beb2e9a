// SPDX-License-Identifier: MIT
// What a person watching sees: terminal detection, colour, and one line of progress. Goes to
// stderr, so that stdout stays the result. Must not be used with --quiet for anything but errors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvpsi {

/// True if the descriptor is a terminal and TERM is not "dumb".
bool is_terminal(int fd);

/// True if the descriptor is a terminal and NO_COLOR is unset or empty (no-color.org).
bool use_colour(int fd);

/// Columns of the terminal on stderr; 80 where it does not tell.
std::size_t terminal_columns();

enum class Colour : std::uint8_t { none, bold, dim, red, yellow, green };

/// The text in that colour if `enabled`, else unchanged.
std::string paint(Colour colour, std::string_view text, bool enabled);

/// A line that is rewritten in place on a terminal, and a plain line now and then elsewhere. Where
/// the result's text goes to the same terminal, the line stands below the text. Not thread-safe.
/// Writes with write(2), past stdio's buffers.
class StatusLine {
 public:
  /// `quiet` makes every call do nothing. `plain_every_us`: least time between plain lines;
  /// `live_every_us`: the same on a terminal.
  explicit StatusLine(bool quiet, std::uint64_t plain_every_us = 5'000'000,
                      std::uint64_t live_every_us = 200'000);
  ~StatusLine() { clear(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  /// True if an update at `now_us` would be shown: make the text only then. Away from a terminal
  /// the first line waits as long as the later ones, so that short work says nothing.
  bool due(std::uint64_t now_us);

  /// Shows `text` (cut to the terminal's width; ASCII).
  void update(std::uint64_t now_us, std::string_view text);

  /// Takes the line off the terminal, before something else is printed.
  void clear();

  /// From now on the cursor stands within text on the same terminal: the line is kept one below.
  void share_terminal_with_text();

  /// Puts the line back after a clear() made way for `text`. Not while the cursor hangs at the
  /// right margin: terminals forget on restoring it that the next character belongs to the next
  /// line.
  void redraw_after(std::string_view text);

 private:
  void draw(std::string_view text);

  bool quiet_;
  bool live_;
  bool below_ = false;
  std::uint64_t every_us_;
  std::uint64_t last_us_ = 0;
  bool shown_ = false;
  std::string text_;
  std::size_t text_column_ = 0;  ///< where the shared terminal's text ends
};

/// The column at which `text` ends on a terminal of `columns`, begun at `column`; `columns` itself
/// when the last line is exactly full. East Asian wide characters and emoji count two.
std::size_t column_after(std::string_view text, std::size_t column, std::size_t columns);

/// Writes all of it with write(2). False when the descriptor does not take it.
bool write_all(int fd, std::string_view text);

/// "[#####.....]  50 %" of `width` cells.
std::string progress_bar(double share, std::size_t width = 20);

}  // namespace kvpsi
