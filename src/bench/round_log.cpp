// SPDX-License-Identifier: MIT
// See round_log.h.
#include "bench/round_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <sstream>

#include "bench/stats.h"

namespace kvpsi {
namespace {

std::vector<double> durations_ms(std::span<const Round> rounds) {
  std::vector<double> values;
  values.reserve(rounds.size());
  for (const Round& round : rounds) {
    values.push_back(static_cast<double>(round.duration_us) / 1000.0);
  }
  return values;
}

bool take_number(std::string_view& line, std::uint64_t& value) {
  const auto parsed = std::from_chars(line.data(), line.data() + line.size(), value);
  if (parsed.ec != std::errc{}) return false;
  line.remove_prefix(static_cast<std::size_t>(parsed.ptr - line.data()));
  return true;
}

bool parse_line(std::string_view line, Round& round) {
  if (!take_number(line, round.end_us) || !line.starts_with(' ')) return false;
  line.remove_prefix(1);
  return take_number(line, round.duration_us) && line.empty();
}

}  // namespace

LatencyMs round_latency(std::span<const Round> rounds) {
  const auto values = durations_ms(rounds);
  if (values.empty()) return {};
  return {quantile(values, 0.5), quantile(values, 0.99), *std::ranges::max_element(values)};
}

std::optional<NeighbourRate> rate_within(std::span<const Round> rounds, std::uint64_t begin_us,
                                         std::uint64_t end_us) {
  if (end_us <= begin_us) return std::nullopt;
  std::vector<Round> inside;
  double whole = 0;
  for (const Round& round : rounds) {
    if (round.end_us <= begin_us || round.end_us > end_us) continue;
    inside.push_back(round);
    const auto covered = std::min(round.duration_us, round.end_us - begin_us);
    whole += round.duration_us == 0
                 ? 1.0
                 : static_cast<double>(covered) / static_cast<double>(round.duration_us);
  }
  if (inside.empty()) return std::nullopt;
  const double seconds = static_cast<double>(end_us - begin_us) / 1e6;
  return NeighbourRate{whole / seconds, quantile(durations_ms(inside), 0.99)};
}

Result<std::vector<Round>> parse_rounds(std::string_view text, const std::string& path) {
  std::vector<Round> rounds;
  std::size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const auto end = text.find('\n');
    Round round;
    if (end == std::string_view::npos || !parse_line(text.substr(0, end), round)) {
      return fail(ErrorCode::malformed,
                  fmt::format("line {} is not 'end_us duration_us'", line_number), path);
    }
    rounds.push_back(round);
    text.remove_prefix(end + 1);
  }
  return rounds;
}

Result<void> write_rounds(std::span<const Round> rounds, const std::string& path) {
  std::string text;
  for (const Round& round : rounds) {
    fmt::format_to(std::back_inserter(text), "{} {}\n", round.end_us, round.duration_us);
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.flush();
  if (!file) return fail(ErrorCode::io, "cannot write the rounds log", path, errno);
  return {};
}

Result<std::vector<Round>> read_rounds(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::not_found, "cannot open the rounds log", path, errno);
  std::ostringstream text;
  text << file.rdbuf();
  return parse_rounds(text.str(), path);
}

}  // namespace kvpsi
