// SPDX-License-Identifier: MIT
// See psi_parse.h.
#include "linux/psi_parse.h"

#include <charconv>

#include "linux/text_scan.h"

namespace kvpsi {
namespace {

/// A percentage as the kernel prints it: digits, a point, digits.
std::optional<double> parse_average(std::string_view text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!(value >= 0 && value <= 1e6)) return std::nullopt;  // refuses "nan" and "inf" as well
  return value;
}

/// Stores one "key=value" word; false for an unknown or repeated key or a bad value.
bool store_word(std::string_view word, PsiLine& line, unsigned& seen) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view key = word.substr(0, equals);
  const std::string_view value = word.substr(equals + 1);
  const auto store = [&seen](auto parsed, auto& target, unsigned bit) {
    if (!parsed || (seen & bit) != 0) return false;
    seen |= bit;
    target = *parsed;
    return true;
  };
  if (key == "avg10") return store(parse_average(value), line.avg10, 1);
  if (key == "avg60") return store(parse_average(value), line.avg60, 2);
  if (key == "avg300") return store(parse_average(value), line.avg300, 4);
  if (key == "total") return store(parse_u64(value), line.total, 8);
  return false;
}

}  // namespace

std::optional<PsiNamedLine> parse_psi_line(std::string_view line) {
  PsiNamedLine named;
  const std::string_view kind = take_word(line);
  if (kind != "some" && kind != "full") return std::nullopt;
  named.is_full = kind == "full";
  unsigned seen = 0;
  for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
    if (!store_word(word, named.line, seen)) return std::nullopt;
  }
  if ((seen & 8) == 0) return std::nullopt;
  return named;
}

std::optional<PsiFileText> scan_psi_file(std::string_view text) {
  PsiFileText file;
  unsigned seen = 0;
  while (!text.empty()) {
    const auto named = parse_psi_line(take_line(text));
    if (!named) return std::nullopt;
    const unsigned bit = named->is_full ? 2 : 1;
    if ((seen & bit) != 0) return std::nullopt;
    seen |= bit;
    (named->is_full ? file.full : file.some) = named->line;
  }
  if (seen != 3) return std::nullopt;
  return file;
}

Result<PsiFileText> parse_psi_file(std::string_view text) {
  const auto file = scan_psi_file(text);
  if (file) return *file;
  return fail(ErrorCode::malformed,
              "is not a memory pressure file: expected are the two lines 'some avg10=.. total=N' "
              "and 'full avg10=.. total=N'");
}

Result<PsiTotals> parse_psi(std::string_view text) {
  const auto file = parse_psi_file(text);
  if (!file) return std::unexpected(file.error());
  return PsiTotals{.some_us_total = file->some.total, .full_us_total = file->full.total};
}

}  // namespace kvpsi
