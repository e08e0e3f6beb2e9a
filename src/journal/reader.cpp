// SPDX-License-Identifier: MIT
// Line by line; see reader.h.
#include "journal/reader.h"

#include <cerrno>
#include <utility>

#include "journal/tick_json.h"

namespace kvpsi {

JournalReader::JournalReader(std::ifstream file, std::string path)
    : file_(std::move(file)), path_(std::move(path)) {}

Result<JournalReader> JournalReader::open(const std::string& path) {
  errno = 0;
  std::ifstream file(path);
  if (!file) {
    const int reason = errno;
    const ErrorCode code = reason == ENOENT   ? ErrorCode::not_found
                           : reason == EACCES ? ErrorCode::permission
                                              : ErrorCode::io;
    return fail(code, "cannot open the journal", path, reason);
  }
  return JournalReader(std::move(file), path);
}

Result<std::optional<Tick>> JournalReader::next() {
  if (!std::getline(file_, line_)) {
    if (file_.bad()) return fail(ErrorCode::io, "cannot read the journal", path_);
    return std::optional<Tick>{};
  }
  ++line_number_;
  const bool has_line_break = !file_.eof();
  Result<Tick> tick = tick_from_json(line_);
  if (tick) return std::optional<Tick>{*std::move(tick)};
  if (!has_line_break) {
    cut_ = true;
    return std::optional<Tick>{};
  }
  return fail(tick.error().code, "line " + std::to_string(line_number_) + ": " + tick.error().what,
              path_);
}

Result<Journal> read_journal(const std::string& path) {
  Result<JournalReader> reader = JournalReader::open(path);
  if (!reader) return std::unexpected(reader.error());
  Journal journal;
  while (true) {
    Result<std::optional<Tick>> tick = reader->next();
    if (!tick) return std::unexpected(tick.error());
    if (!*tick) break;
    journal.ticks.push_back(**tick);
  }
  journal.ends_in_cut_line = reader->ends_in_cut_line();
  return journal;
}

}  // namespace kvpsi
