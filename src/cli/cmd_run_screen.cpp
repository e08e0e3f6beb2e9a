// SPDX-License-Identifier: MIT
// See cmd_run_screen.h.
#include "cli/cmd_run_screen.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

#include "base/bytes.h"
#include "base/clock.h"

namespace kvpsi {

std::string describe_progress(const RunProgress& progress, const Tick* tick) {
  std::string line;
  if (progress.decoded == 0) {
    line = fmt::format("prefill {}/{} tokens", progress.prefilled, progress.prompt_tokens);
  } else {
    line = fmt::format("decode {}/{}", progress.decoded, progress.predict);
    if (progress.tok_s > 0) line += fmt::format("  {:.1f} tok/s", progress.tok_s);
  }
  if (tick == nullptr) return line;
  line += fmt::format(" | {}", name(tick->decision.level));
  for (const PoolView& pool : tick->observation.pools) {
    if (pool.kind != PoolKind::kv) continue;
    line += fmt::format(" | KV {} live, {} resident", format_bytes(pool.live_bytes),
                        format_bytes(pool.resident_bytes));
  }
  if (tick->signal.psi_present) {
    line += fmt::format(" | stalled {:.1f} %", tick->signal.some_fast * 100);
  }
  return line;
}

RunScreen::RunScreen(const CommonOptions& common)
    : json_(common.json), quiet_(common.quiet), line_(common.quiet) {}

void RunScreen::say(std::string_view line) {
  if (!quiet_) warn(line);
}

void RunScreen::warn(std::string_view line) {
  line_.clear();
  write_all(STDERR_FILENO, fmt::format("kvpsi: {}\n", line));
}

void RunScreen::show_loading(float share) {
  const std::uint64_t now_us = monotonic_us();
  if (line_.due(now_us)) line_.update(now_us, "loading " + progress_bar(share));
}

bool RunScreen::is_progress_due() { return line_.due(monotonic_us()); }

void RunScreen::show_progress(const RunProgress& progress, const Tick* tick) {
  line_.update(monotonic_us(), describe_progress(progress, tick));
}

bool RunScreen::show_text(std::string_view text) {
  if (json_) return true;
  if (!text_started_ && is_terminal(STDOUT_FILENO)) line_.share_terminal_with_text();
  text_started_ = true;
  text_ends_line_ = text.ends_with('\n');
  const bool terminal = is_terminal(STDOUT_FILENO);
  if (terminal) line_.clear();
  const bool written = write_all(STDOUT_FILENO, text);
  if (!written && text_errno_ == 0) text_errno_ = errno;
  if (terminal) line_.redraw_after(text);
  return written;
}

void RunScreen::end_text() {
  line_.clear();
  if (text_started_ && !text_ends_line_) write_all(STDOUT_FILENO, "\n");
}

}  // namespace kvpsi
