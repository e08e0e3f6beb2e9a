// SPDX-License-Identifier: MIT
// Reading kvpsi.run/1; see run_summary.h. nlohmann's exceptions end here.
#include "report/run_summary.h"

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace kvpsi {
namespace {

constexpr std::string_view kRunSchema = "kvpsi.run/1";

}  // namespace

Result<RunSummary> parse_run_summary(std::string_view text, const std::string& path) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (const auto schema = json.at("schema").get<std::string>(); schema != kRunSchema) {
      return fail(ErrorCode::malformed, "schema '" + schema + "' is not " + std::string(kRunSchema),
                  path);
    }
    RunSummary summary;
    const auto& timing = json.at("timing");
    timing.at("start_us").get_to(summary.start_us);
    timing.at("decode_start_us").get_to(summary.decode_start_us);
    timing.at("decode_end_us").get_to(summary.decode_end_us);
    json.at("token_t_us").get_to(summary.token_t_us);
    json.at("kv").at("resident_bytes").get_to(summary.kv_resident_bytes);
    return summary;
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorCode::malformed, std::string("not a whole run summary: ") + error.what(),
                path);
  }
}

Result<RunSummary> read_run_summary(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::not_found, "cannot open the run summary", path, errno);
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) return fail(ErrorCode::io, "cannot read the run summary", path);
  return parse_run_summary(text.str(), path);
}

}  // namespace kvpsi
