// SPDX-License-Identifier: MIT
// Reading of smaps; see smaps.h. The file is streamed, since a process with thousands of mappings
// makes megabytes of it.
#include "linux/smaps.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "linux/fd.h"
#include "linux/kernel_file.h"
#include "linux/text_scan.h"

namespace kvpsi {
namespace {

struct Header {
  PageRange range;
  std::string_view path;
};

/// Parses "begin-end perms offset dev inode   path"; empty for any other line.
std::optional<Header> parse_header(std::string_view line) {
  std::string_view range = take_word(line);
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  Header header;
  const auto parse_hex = [](std::string_view digits, std::uintptr_t& value) {
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return error == std::errc{} && end == digits.data() + digits.size();
  };
  if (!parse_hex(range.substr(0, dash), header.range.begin) ||
      !parse_hex(range.substr(dash + 1), header.range.end)) {
    return std::nullopt;
  }
  for (int field = 0; field < 4; ++field) take_word(line);
  const std::size_t path = line.find_first_not_of(" \t");
  if (path != std::string_view::npos) header.path = line.substr(path);
  return header;
}

Result<SmapsTotals> read_smaps(SmapsParser parser, const std::string& proc) {
  const std::string path = proc + "/self/smaps";
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) return fail(error_code_of(errno), "cannot be opened", path, errno);
  std::vector<char> buffer(64 * 1024);
  std::size_t kept = 0;
  for (;;) {
    if (kept == buffer.size()) return fail(ErrorCode::malformed, "a line is too long", path);
    const ssize_t got = ::read(fd.get(), buffer.data() + kept, buffer.size() - kept);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(error_code_of(errno), "cannot be read", path, errno);
    std::string_view text(buffer.data(), kept + static_cast<std::size_t>(got));
    while (text.find('\n') != std::string_view::npos || (got == 0 && !text.empty())) {
      if (const auto fed = parser.feed(take_line(text)); !fed) {
        return fail(fed.error().code, fed.error().what, path);
      }
    }
    if (got == 0) return parser.totals();
    kept = text.size();
    std::char_traits<char>::move(buffer.data(), text.data(), kept);
  }
}

}  // namespace

SmapsParser SmapsParser::for_file(std::string path) {
  SmapsParser parser;
  parser.path_ = std::move(path);
  return parser;
}

SmapsParser SmapsParser::for_range(PageRange range) {
  SmapsParser parser;
  parser.range_ = range;
  return parser;
}

bool SmapsParser::is_wanted(const PageRange& mapping, std::string_view path) const {
  if (!path_.empty()) return path == path_;
  return mapping.begin < range_.end && range_.begin < mapping.end;
}

Result<void> SmapsParser::feed(std::string_view line) {
  if (const auto header = parse_header(line)) {
    counts_ = is_wanted(header->range, header->path);
    if (counts_) ++totals_.mappings;
    return {};
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    return fail(ErrorCode::malformed,
                "'" + std::string(line.substr(0, 60)) + "' is not a line of an smaps file");
  }
  if (!counts_) return {};
  struct Row {
    std::string_view key;
    std::uint64_t* target;
  };
  const std::array<Row, 5> rows = {{{"Size", &totals_.size_bytes},
                                    {"Rss", &totals_.rss_bytes},
                                    {"Anonymous", &totals_.anonymous_bytes},
                                    {"Swap", &totals_.swap_bytes},
                                    {"Locked", &totals_.locked_bytes}}};
  for (const Row& row : rows) {
    if (line.substr(0, colon) != row.key) continue;
    const FoundValue found = find_kib(line, row.key);
    if (!found.value) {
      return fail(ErrorCode::malformed, "'" + std::string(row.key) + "' has no number of kB");
    }
    *row.target += *found.value;
  }
  return {};
}

Result<SmapsTotals> smaps_of_file(const std::string& file, const std::string& proc) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(file.c_str(), nullptr), std::free);
  if (!real) return fail(error_code_of(errno), "cannot be resolved", file, errno);
  return read_smaps(SmapsParser::for_file(real.get()), proc);
}

Result<SmapsTotals> smaps_of_range(PageRange range, const std::string& proc) {
  return read_smaps(SmapsParser::for_range(range), proc);
}

}  // namespace kvpsi
