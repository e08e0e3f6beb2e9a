// SPDX-License-Identifier: MIT
// Terminal output; see console.h.
#include "cli/console.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace kvpsi {
namespace {

/// A status line that cannot be written is not worth an error: the work goes on.
void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

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

}  // namespace

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

bool StatusLine::due(std::uint64_t now_us) const {
  return !quiet_ && (last_us_ == 0 || now_us >= last_us_ + every_us_);
}

void StatusLine::update(std::uint64_t now_us, std::string_view text) {
  if (quiet_) return;
  last_us_ = now_us;
  if (!live_) {
    write_all(STDERR_FILENO, fmt::format("{}\n", text));
    return;
  }
  const std::size_t columns = terminal_columns();
  write_all(STDERR_FILENO, fmt::format("\r{}\x1b[K", text.substr(0, columns - 1)));
  shown_ = true;
}

void StatusLine::clear() {
  if (!shown_) return;
  write_all(STDERR_FILENO, "\r\x1b[K");
  shown_ = false;
}

std::string progress_bar(double share, std::size_t width) {
  share = std::clamp(share, 0.0, 1.0);
  const auto full = static_cast<std::size_t>(share * static_cast<double>(width) + 0.5);
  return fmt::format("[{}{}] {:3.0f} %", std::string(full, '#'), std::string(width - full, '.'),
                     share * 100);
}

}  // namespace kvpsi
