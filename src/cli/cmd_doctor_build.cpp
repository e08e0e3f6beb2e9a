// SPDX-License-Identifier: MIT
// Compile-time facts; see cmd_doctor_build.h.
#include "cli/cmd_doctor_build.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

namespace kvpsi {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr const char* kSanitizer = "thread";
#elif defined(__SANITIZE_ADDRESS__)
constexpr const char* kSanitizer = "address";
#else
constexpr const char* kSanitizer = "none";
#endif

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string instruction_set() {
#if defined(__AVX512F__)
  return "AVX-512";
#elif defined(__AVX2__)
  return "AVX2";
#elif defined(__x86_64__)
  return "x86-64 (the engine picks its own)";
#else
  return "other";
#endif
}

using Rows = std::vector<std::pair<std::string, std::string>>;

Rows build_rows() {
  return {
      {"kvpsi", KVPSI_VERSION},
      {"engine", KVPSI_LLAMA ? "llama.cpp " KVPSI_LLAMA_COMMIT : "none (-DKVPSI_LLAMA=OFF)"},
      {"compiler", compiler()},
      {"standard", std::to_string(__cplusplus)},
      {"instructions", instruction_set()},
      {"sanitizer", kSanitizer},
      {"fmt",
       fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
      {"CLI11", CLI11_VERSION},
      {"nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                                    NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
  };
}

}  // namespace

std::string build_text() {
  std::string out;
  for (const auto& [key, value] : build_rows()) out += fmt::format("{:<14}{}\n", key, value);
  return out;
}

std::string build_json() {
  nlohmann::ordered_json document = {{"schema", "kvpsi.build/1"}};
  for (const auto& [key, value] : build_rows()) document[key] = value;
  return document.dump(2) + "\n";
}

}  // namespace kvpsi
