// SPDX-License-Identifier: MIT
// See group_files.h.
#include "linux/group_files.h"

#include "linux/text_scan.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kNoLimitFrom = 1ULL << 62;

std::string_view only_line(std::string_view text) {
  const std::string_view line = take_line(text);
  return text.empty() ? line : std::string_view();
}

}  // namespace

Result<std::optional<std::uint64_t>> parse_limit(std::string_view text) {
  const std::string_view line = only_line(text);
  if (line == "max") return std::nullopt;
  const auto bytes = parse_u64(line);
  if (!bytes) return fail(ErrorCode::malformed, "a limit is neither 'max' nor a number");
  if (*bytes >= kNoLimitFrom) return std::nullopt;
  return bytes;
}

Result<std::uint64_t> parse_counter(std::string_view text) {
  const auto value = parse_u64(only_line(text));
  if (!value) return fail(ErrorCode::malformed, "a counter file does not hold one number");
  return *value;
}

Result<GroupStat> parse_group_stat(std::string_view text, bool is_v1) {
  const auto key = [is_v1](std::string_view v1, std::string_view v2) { return is_v1 ? v1 : v2; };
  const FoundValue active = find_value(text, key("total_active_file", "active_file"));
  const FoundValue inactive = find_value(text, key("total_inactive_file", "inactive_file"));
  const FoundValue refault_anon =
      find_value(text, key("total_workingset_refault_anon", "workingset_refault_anon"));
  const FoundValue refault_file =
      find_value(text, key("total_workingset_refault_file", "workingset_refault_file"));
  const FoundValue refault = find_value(text, "workingset_refault");
  for (const FoundValue& found : {active, inactive, refault_anon, refault_file, refault}) {
    if (found.is_malformed()) {
      return fail(ErrorCode::malformed, "a line of memory.stat has no number");
    }
  }
  GroupStat stat;
  if (active.value && inactive.value) stat.file_bytes = *active.value + *inactive.value;
  if (refault_file.value) {
    stat.refault_pages_total = *refault_file.value + refault_anon.value.value_or(0);
  } else {
    stat.refault_pages_total = refault.value;
  }
  return stat;
}

Result<GroupEvents> parse_group_events(std::string_view text) {
  const FoundValue high = find_value(text, "high");
  const FoundValue max = find_value(text, "max");
  const FoundValue oom_kill = find_value(text, "oom_kill");
  if (high.is_malformed() || max.is_malformed() || oom_kill.is_malformed()) {
    return fail(ErrorCode::malformed, "a line of memory.events has no number");
  }
  GroupEvents events{.limit_hits_total = std::nullopt, .oom_kills_total = oom_kill.value};
  if (max.value) events.limit_hits_total = *max.value + high.value.value_or(0);
  return events;
}

Result<std::optional<std::uint64_t>> parse_oom_control(std::string_view text) {
  const FoundValue kills = find_value(text, "oom_kill");
  if (kills.is_malformed()) {
    return fail(ErrorCode::malformed, "oom_kill of memory.oom_control has no number");
  }
  return kills.value;
}

}  // namespace kvpsi
