// SPDX-License-Identifier: MIT
// The spill file of a governed process: its options, and opening it. Shared by all commands that
// hold an engine. Next hop: linux/spill_file.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "linux/spill_file.h"

namespace CLI {
class App;
}

namespace kvpsi {

struct SpillOptions {
  std::string directory = "auto";  ///< a directory, "auto" or "off"
  std::uint64_t most_bytes = 8 * kGiB;
  std::uint64_t daily_bytes = 0;  ///< 0 = no limit
  bool allow_flash = false;
};

/// --spill-dir, --spill-max, --spill-daily, --spill-flash, or as many under another prefix.
/// `options` must outlive the parse.
void add_spill_options(CLI::App& app, SpillOptions& options, const std::string& prefix);

/// The store, or why there is none.
struct OpenedSpill {
  std::unique_ptr<SpillFile> file;  ///< null: nothing is spilled
  std::string what;                 ///< one clause for people: where, or why not
};

/// Errors: of a directory that was named; with "auto", a machine without a fit one is no error.
Result<OpenedSpill> open_spill(const SpillOptions& options);

}  // namespace kvpsi
