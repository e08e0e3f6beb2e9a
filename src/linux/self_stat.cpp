// SPDX-License-Identifier: MIT
// See self_stat.h. Formats: Documentation/filesystems/proc.rst, tables 1-2 and 1-4.
#include "linux/self_stat.h"

#include <charconv>

#include "linux/text_scan.h"

namespace kvpsi {
namespace {

/// Reads the 16 hex digits of CapEff; nothing where the line is absent.
Result<std::optional<std::uint64_t>> parse_capabilities(std::string_view text) {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (!line.starts_with("CapEff:")) continue;
    line.remove_prefix(7);
    const std::string_view digits = take_word(line);
    std::uint64_t bits = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), bits, 16);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
      return fail(ErrorCode::malformed, "CapEff of a status file is not a hex number");
    }
    return bits;
  }
  return std::nullopt;
}

}  // namespace

Result<SelfStatus> parse_self_status(std::string_view text) {
  SelfStatus status;
  struct Row {
    std::string_view key;
    std::optional<std::uint64_t>* target;
  };
  const Row rows[] = {{"RssAnon", &status.rss_anon_bytes},   {"RssFile", &status.rss_file_bytes},
                      {"RssShmem", &status.rss_shmem_bytes}, {"VmSwap", &status.swap_bytes},
                      {"VmHWM", &status.hwm_bytes},          {"VmLck", &status.locked_bytes}};
  bool is_any_present = false;
  for (const Row& row : rows) {
    const FoundValue found = find_kib(text, row.key);
    if (found.is_malformed()) {
      return fail(ErrorCode::malformed,
                  "a status file has '" + std::string(row.key) + "' without a number of kB");
    }
    *row.target = found.value;
    is_any_present |= found.present;
  }
  const auto capabilities = parse_capabilities(text);
  if (!capabilities) return std::unexpected(capabilities.error());
  status.capabilities = *capabilities;
  if (!is_any_present && !status.capabilities) {
    return fail(ErrorCode::malformed, "this is not a /proc/<pid>/status file");
  }
  return status;
}

Result<std::uint64_t> parse_major_faults(std::string_view text) {
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) {
    return fail(ErrorCode::malformed, "a stat file has no process name");
  }
  std::string_view line = text.substr(name_end + 1);
  line = take_line(line);
  for (int field = 3; field < 12; ++field) take_word(line);
  const auto faults = parse_u64(take_word(line));
  if (!faults) return fail(ErrorCode::malformed, "a stat file has no number in field 12, majflt");
  return *faults;
}

}  // namespace kvpsi
