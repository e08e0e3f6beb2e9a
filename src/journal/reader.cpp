// SPDX-License-Identifier: MIT
// Line by line; see reader.h.
#include "journal/reader.h"

#include <cerrno>
#include <utility>

#include "journal/config_json.h"
#include "journal/tick_json.h"

namespace kvpsi {

JournalReader::JournalReader(std::ifstream file, std::string path)
    : file_(std::move(file)), path_(std::move(path)), buffer_(kMostLineBytes) {}

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

std::unexpected<Error> JournalReader::refuse(const Error& error) const {
  return fail(error.code, "line " + std::to_string(line_number_) + ": " + error.what, path_);
}

/// False at the end, and where the line does not fit.
bool JournalReader::read_line() {
  file_.getline(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
  const auto got = static_cast<std::size_t>(file_.gcount());
  if (file_.fail()) return false;
  ++line_number_;
  line_ = {buffer_.data(), file_.eof() ? got : got - 1};
  return true;
}

Result<std::optional<Tick>> JournalReader::next() {
  while (read_line()) {
    const bool has_line_break = !file_.eof();
    if (is_config_line(line_)) {
      Result<PolicyConfig> config = config_from_json(line_);
      if (!config && has_line_break) return refuse(config.error());
      cut_ = !config;
      if (config) config_ = *config;
      continue;
    }
    Result<Tick> tick = tick_from_json(line_);
    if (tick) return std::optional<Tick>{*std::move(tick)};
    if (has_line_break) return refuse(tick.error());
    cut_ = true;
    return std::optional<Tick>{};
  }
  if (file_.bad()) return fail(ErrorCode::io, "cannot read the journal", path_);
  if (!file_.eof()) {
    ++line_number_;
    return refuse({ErrorCode::malformed, "is longer than any tick", {}, 0});
  }
  return std::optional<Tick>{};
}

Result<Journal> read_journal(const std::string& path) {
  Result<JournalReader> reader = JournalReader::open(path);
  if (!reader) return std::unexpected(reader.error());
  Journal journal;
  while (true) {
    Result<std::optional<Tick>> tick = reader->next();
    if (!tick) return std::unexpected(tick.error());
    if (!*tick) break;
    const std::size_t index = journal.ticks.size();
    const auto& config = reader->config();
    const PolicyConfig* before = journal.configs.at(index);
    if (config && (before == nullptr || *before != *config)) {
      journal.configs.begin_at(index, *config);
    }
    journal.ticks.push_back(**tick);
  }
  journal.ends_in_cut_line = reader->ends_in_cut_line();
  return journal;
}

}  // namespace kvpsi
