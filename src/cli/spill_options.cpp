// SPDX-License-Identifier: MIT
// See spill_options.h.
#include "cli/spill_options.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <utility>

#include "cli/options.h"

namespace kvpsi {

void add_spill_options(CLI::App& app, SpillOptions& options, const std::string& prefix) {
  app.add_option(prefix + "-dir", options.directory,
                 "Where idle and trimmed rows go under pressure, in a private file that leaves "
                 "nothing behind; auto: $TMPDIR, /var/tmp or the cache directory, whichever is on "
                 "a fit disk; off: nowhere")
      ->type_name("DIR")
      ->capture_default_str();
  add_bytes_option(app, prefix + "-max", options.most_bytes,
                   "Most that lies there; never more than half of the free disk");
  add_bytes_option(app, prefix + "-daily", options.daily_bytes,
                   "Most that is written there a day, over all processes; 0: no limit");
  app.add_flag(prefix + "-flash", options.allow_flash,
               "Take an SD card or eMMC too, which writing wears out");
}

Result<OpenedSpill> open_spill(const SpillOptions& options) {
  OpenedSpill opened;
  if (options.directory == "off") {
    opened.what = "off, as was asked for";
    return opened;
  }
  SpillFileOptions file;
  file.budget_bytes = options.most_bytes;
  file.daily_bytes = options.daily_bytes;
  file.place.allow_flash = options.allow_flash;
  const bool is_named = options.directory != "auto";
  if (is_named) {
    file.directory = options.directory;
  } else {
    auto chosen = default_spill_directory(file.place);
    if (!chosen) {
      opened.what = describe(chosen.error());
      return opened;
    }
    file.directory = std::move(*chosen);
  }
  auto made = SpillFile::open(file);
  if (made) {
    opened.file = std::move(*made);
    opened.what = fmt::format("{} at most to {}", format_bytes(opened.file->use().budget_bytes),
                              file.directory);
    return opened;
  }
  if (is_named) return std::unexpected(made.error());
  opened.what = describe(made.error());
  return opened;
}

}  // namespace kvpsi
