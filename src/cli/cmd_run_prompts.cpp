// SPDX-License-Identifier: MIT
// See cmd_run_prompts.h.
#include "cli/cmd_run_prompts.h"

#include <fmt/core.h>

#include <cerrno>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/printable.h"

namespace kvpsi {
namespace {

using Json = nlohmann::json;

/// The lines of a text, counted from 1; a line feed at the end begins no other.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const auto end = rest_.find('\n');
    line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number_;
    return true;
  }

  std::size_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string place(const std::string& path, std::size_t line) {
  return fmt::format("{}:{}", path == "-" ? "stdin" : path, line);
}

Result<void> read_member(const std::string& key, const Json& value, PromptEntry& entry) {
  if (key == "prompt") {
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
      return fail(ErrorCode::malformed, "'prompt' must be a text that is not empty");
    }
    entry.text = value.get<std::string>();
    return {};
  }
  std::uint32_t* target = nullptr;
  if (key == "predict") target = &entry.predict;
  if (key == "then") target = &entry.then;
  if (key == "prompt_tokens") target = &entry.tokens;
  if (target == nullptr) {
    return fail(ErrorCode::malformed,
                fmt::format("unknown key '{}'; known are prompt, predict, then, prompt_tokens",
                            printable(key)));
  }
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kMaxTokens) {
    return fail(ErrorCode::malformed,
                fmt::format("'{}' must be a whole number from 0 to {}", key, kMaxTokens));
  }
  *target = value.get<std::uint32_t>();
  return {};
}

Result<PromptEntry> parse_line(std::string_view line, PromptEntry entry) {
  const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (object.is_discarded()) return fail(ErrorCode::malformed, "this line is no JSON");
  if (!object.is_object()) {
    return fail(ErrorCode::malformed, R"(this line is no JSON object, such as {"prompt": "text"})");
  }
  for (const auto& [key, value] : object.items()) {
    if (const auto read = read_member(key, value, entry); !read) {
      return std::unexpected(read.error());
    }
  }
  if (entry.text.empty()) return fail(ErrorCode::malformed, "'prompt' is missing");
  return entry;
}

}  // namespace

Result<std::string> read_prompt_file(const std::string& path) {
  std::string text;
  if (path == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  } else {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      const auto code = errno == ENOENT ? ErrorCode::not_found : ErrorCode::permission;
      return fail(code, "cannot read the prompt file", path, errno);
    }
    text.assign(std::istreambuf_iterator<char>(file), {});
    if (file.bad() || (text.empty() && errno != 0)) {
      return fail(ErrorCode::invalid_argument, "cannot read the prompt file", path, errno);
    }
  }
  if (text.empty()) return fail(ErrorCode::invalid_argument, "the prompt file is empty", path);
  return text;
}

Result<std::vector<PromptEntry>> parse_prompts(std::string_view text, const std::string& path,
                                               const PromptEntry& defaults) {
  std::vector<PromptEntry> entries;
  Lines lines(text);
  for (std::string_view line; lines.next(line);) {
    if (is_blank(line)) continue;
    PromptEntry entry = defaults;
    entry.where = place(path, lines.number());
    auto parsed = parse_line(line, std::move(entry));
    if (!parsed) {
      return fail(parsed.error().code, parsed.error().what, place(path, lines.number()));
    }
    entries.push_back(std::move(*parsed));
  }
  if (entries.empty()) return fail(ErrorCode::malformed, "the file holds no conversation", path);
  return entries;
}

Result<std::vector<PromptEntry>> split_prompts(std::string_view text, const std::string& path,
                                               const PromptEntry& defaults) {
  std::vector<PromptEntry> entries;
  std::size_t begin_line = 1;
  std::size_t begin = 0;
  const auto take = [&](std::size_t end) -> Result<void> {
    std::string_view part = text.substr(begin, end - begin);
    if (end < text.size() && part.ends_with('\n')) part.remove_suffix(1);
    if (is_blank(part)) {
      return fail(ErrorCode::malformed, "an empty conversation begins here",
                  place(path, begin_line));
    }
    PromptEntry entry = defaults;
    entry.text = part;
    entry.where = place(path, begin_line);
    entries.push_back(std::move(entry));
    return {};
  };
  Lines lines(text);
  for (std::string_view line; lines.next(line);) {
    if (line != "---") continue;
    const auto at = static_cast<std::size_t>(line.data() - text.data());
    if (const auto taken = take(at); !taken) return std::unexpected(taken.error());
    const auto end = text.find('\n', at);
    begin = end == std::string_view::npos ? text.size() : end + 1;
    begin_line = lines.number() + 1;
  }
  if (const auto taken = take(text.size()); !taken) return std::unexpected(taken.error());
  return entries;
}

}  // namespace kvpsi
