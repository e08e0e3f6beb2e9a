// SPDX-License-Identifier: MIT
// The option that says whether context may be taken out of what runs: its modes are spelled and
// explained here, for every command that holds an engine. Next hop: llama/elastic.h (TrimMode).
#pragma once

#include <string>

#include "cli/options.h"
#include "llama/elastic.h"

namespace kvpsi {

/// `whose`: the middle of what is taken out; `more` ends the help. `mode` must outlive the parse.
inline void add_trim_option(CLI::App& app, const std::string& flag, TrimMode& mode,
                            const std::string& whose, const std::string& more = "") {
  add_choice_option<TrimMode>(
      app, flag, mode,
      {{"off", TrimMode::off}, {"last-resort", TrimMode::last_resort}, {"eager", TrimMode::eager}},
      "Take the middle of " + whose +
          " out when nothing else is left to give: last-resort: only with its rows on disk, to "
          "return when the pressure ends; eager: also to make room, and for good where there is no "
          "spill file; off: never" +
          more);
}

}  // namespace kvpsi
