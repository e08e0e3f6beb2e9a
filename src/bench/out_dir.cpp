// SPDX-License-Identifier: MIT
// See out_dir.h.
#include "bench/out_dir.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "bench/prompt_text.h"
#include "bench/results.h"

namespace kvpsi {
namespace {

bool is_of_a_run(std::string_view file) {
  static constexpr std::array<std::string_view, 4> kBegins = {"journal-", "run-", "neighbour-",
                                                              "phases-"};
  static constexpr std::array<std::string_view, 4> kEnds = {".jsonl", ".json", ".log", ".rounds"};
  return std::ranges::any_of(kBegins, [&](auto begin) { return file.starts_with(begin); }) &&
         std::ranges::any_of(kEnds, [&](auto end) { return file.ends_with(end); });
}

}  // namespace

Result<void> prepare_out_dir(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail(ErrorCode::io, "cannot make the folder", path, error.value());
  if (::access(path.c_str(), W_OK | X_OK) != 0) {
    return fail(ErrorCode::permission, "cannot write into the folder: name another by --out-dir",
                path, errno);
  }
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (is_of_a_run(entry.path().filename().native())) std::filesystem::remove(entry, error);
  }
  return {};
}

Result<void> write_prompt(const std::string& path, std::uint64_t seed, std::uint64_t tokens) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << make_prompt(seed, tokens);
  file.flush();
  if (!file) return fail(ErrorCode::io, "cannot write the prompt", path, errno);
  return {};
}

Result<void> write_prompts(const RunSpec& spec) {
  if (spec.tenants > 1) return write_whole(make_prompts(spec), spec.prompts_file);
  return write_prompt(spec.prompt_file, spec.seed, spec.prompt_tokens);
}

}  // namespace kvpsi
