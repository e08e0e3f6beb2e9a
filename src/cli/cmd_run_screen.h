// SPDX-License-Identifier: MIT
// What a person sees of `kvpsi run`: the text on stdout, banner and status line on stderr. Main
// thread only. Next hop: console.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/console.h"
#include "model/tick.h"

namespace kvpsi {

/// What the status line says of a generation.
struct RunProgress {
  std::uint64_t prompt_tokens = 0;
  std::uint32_t prefilled = 0;
  std::uint64_t predict = 0;
  std::uint32_t decoded = 0;
  double tok_s = 0;  ///< over the last second or so
};

/// "decode 12/300  31.2 tok/s | calm | KV 45.0 MiB live, 45.1 MiB resident | stalled 0.0 %".
std::string describe_progress(const RunProgress& progress, const Tick* tick);

class RunScreen {
 public:
  explicit RunScreen(const CommonOptions& common);

  /// One line of the banner, or of the summary; nothing with --quiet.
  void say(std::string_view line);

  /// A line that --quiet does not silence: why a generation ended early.
  void warn(std::string_view line);

  void show_loading(float share);
  void show_progress(const RunProgress& progress, const Tick* tick);
  bool is_progress_due();

  /// Text of the model for stdout. False when it cannot be written: see text_errno().
  bool show_text(std::string_view text);

  /// Why text was lost: EPIPE when nobody reads it any more, ENOSPC ...; 0 if none was.
  int text_errno() const { return text_errno_; }

  /// Ends the text with a line feed if it has none, and takes the status line away.
  void end_text();

 private:
  bool json_;
  bool quiet_;
  StatusLine line_;
  bool text_started_ = false;
  bool text_ends_line_ = true;
  int text_errno_ = 0;
};

}  // namespace kvpsi
