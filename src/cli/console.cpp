// SPDX-License-Identifier: MIT
// Terminal output; see console.h.
#include "cli/console.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace kvpsi {
namespace {

// VT100: index, reverse index, save and restore cursor. Down and up again makes sure that there is
// a line below, scrolling if need be, before the place is saved.
constexpr std::string_view kBelow = "\033D\033M\0337\033D\r";
constexpr std::string_view kBack = "\033[K\0338";

std::string_view code_of(Colour colour) {
  switch (colour) {
    case Colour::none:
      return "";
    case Colour::bold:
      return "\x1b[1m";
    case Colour::dim:
      return "\x1b[2m";
    case Colour::red:
      return "\x1b[31m";
    case Colour::yellow:
      return "\x1b[33m";
    case Colour::green:
      return "\x1b[32m";
  }
  return "";
}

/// Decodes the character at `i` of valid UTF-8 and moves `i` behind it.
char32_t next_character(std::string_view text, std::size_t& i) {
  const auto lead = static_cast<unsigned char>(text[i++]);
  char32_t character = lead < 0x80 ? lead
                                   : lead & (lead >= 0xF0   ? 0x07U
                                             : lead >= 0xE0 ? 0x0FU
                                                            : 0x1FU);
  while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) {
    character = (character << 6) | (static_cast<unsigned char>(text[i++]) & 0x3FU);
  }
  return character;
}

/// The big blocks of Unicode's EastAsianWidth.txt with W or F.
bool is_wide(char32_t c) {
  return (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
         (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
         (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
}

}  // namespace

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool is_terminal(int fd) {
  const char* term = std::getenv("TERM");
  return ::isatty(fd) == 1 && (term == nullptr || std::string_view(term) != "dumb");
}

bool use_colour(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  return is_terminal(fd) && (no_color == nullptr || *no_color == '\0');
}

std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string paint(Colour colour, std::string_view text, bool enabled) {
  if (!enabled || colour == Colour::none) return std::string(text);
  return fmt::format("{}{}\x1b[0m", code_of(colour), text);
}

StatusLine::StatusLine(bool quiet, std::uint64_t plain_every_us, std::uint64_t live_every_us)
    : quiet_(quiet),
      live_(is_terminal(STDERR_FILENO)),
      every_us_(live_ ? live_every_us : plain_every_us) {}

bool StatusLine::due(std::uint64_t now_us) {
  if (quiet_) return false;
  if (last_us_ == 0) last_us_ = live_ ? now_us - every_us_ : now_us;
  return now_us >= last_us_ + every_us_;
}

void StatusLine::update(std::uint64_t now_us, std::string_view text) {
  if (quiet_) return;
  last_us_ = now_us;
  if (!live_) {
    write_all(STDERR_FILENO, fmt::format("{}\n", text));
    return;
  }
  const std::size_t columns = terminal_columns();
  text_ = text.substr(0, columns - 1);
  if (!below_ || text_column_ < columns) draw(text_);
}

void StatusLine::draw(std::string_view text) {
  if (below_) {
    write_all(STDERR_FILENO, fmt::format("{}{}{}", kBelow, text, kBack));
  } else {
    write_all(STDERR_FILENO, fmt::format("\r{}\x1b[K", text));
  }
  shown_ = true;
}

void StatusLine::clear() {
  if (!shown_) return;
  if (below_) {
    write_all(STDERR_FILENO, fmt::format("{}{}", kBelow, kBack));
  } else {
    write_all(STDERR_FILENO, "\r\x1b[K");
  }
  shown_ = false;
}

void StatusLine::share_terminal_with_text() {
  clear();
  below_ = live_;
  text_.clear();
  text_column_ = 0;
}

void StatusLine::redraw_after(std::string_view text) {
  const std::size_t columns = terminal_columns();
  text_column_ = column_after(text, text_column_, columns);
  if (live_ && !shown_ && !text_.empty() && text_column_ < columns) draw(text_);
}

std::size_t column_after(std::string_view text, std::size_t column, std::size_t columns) {
  for (std::size_t i = 0; i < text.size();) {
    const char32_t character = next_character(text, i);
    if (character == '\n' || character == '\r') {
      column = 0;
      continue;
    }
    const std::size_t width = is_wide(character) ? 2 : 1;
    column = column + width > columns ? width : column + width;
  }
  return column;
}

std::string progress_bar(double share, std::size_t width) {
  share = std::clamp(share, 0.0, 1.0);
  const auto full = static_cast<std::size_t>(share * static_cast<double>(width) + 0.5);
  return fmt::format("[{}{}] {:3.0f} %", std::string(full, '#'), std::string(width - full, '.'),
                     share * 100);
}

}  // namespace kvpsi
