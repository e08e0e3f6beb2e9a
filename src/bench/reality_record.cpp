// SPDX-License-Identifier: MIT
// JSON of reality_record.h, both ways.
#include "bench/reality_record.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace kvpsi {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kSchema = "kvpsi.bench-reality/1";

/// Calls visit(name, member) for each field that is written and read alike.
void visit_sizes(auto&& visit, auto& v) {
  visit("weights_bytes", v.weights_bytes);
  visit("bytes_per_token", v.bytes_per_token);
  visit("granule_bytes", v.granule_bytes);
  visit("n_ctx", v.n_ctx);
  visit("prompt_tokens", v.prompt_tokens);
  visit("onset_tokens", v.onset_tokens);
  visit("used_bytes", v.used_bytes);
  visit("scratch_bytes", v.scratch_bytes);
  visit("neighbour_overhead_bytes", v.neighbour_overhead_bytes);
  visit("tokens_per_s", v.tokens_per_s);
  visit("prefill_tokens_per_s", v.prefill_tokens_per_s);
}

void visit_run(auto&& visit, auto& v) {
  visit("repetition", v.repetition);
  visit("exit", v.exit);
  visit("journal", v.journal);
  visit("limit_bytes", v.limit_bytes);
  visit("onset_us", v.onset_us);
  visit("relief_us", v.relief_us);
  visit("decode_end_us", v.decode_end_us);
  visit("oom_kills", v.oom_kills);
}

Json optional_json(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json times_json(const SqueezeTimes& times) {
  return {{"calm_at_onset", times.calm_at_onset},
          {"first_stall_s", optional_json(times.first_stall_s)},
          {"first_action_s", optional_json(times.first_action_s)},
          {"own_stall_s", times.own_stall_s},
          {"bytes_returned", times.bytes_returned},
          {"tokens_trimmed", times.tokens_trimmed},
          {"highest_level", name(times.highest_level)},
          {"last_action_s", times.last_action_s},
          {"tokens_trimmed_after", times.tokens_trimmed_after},
          {"full_size_s", optional_json(times.full_size_s)},
          {"relapsed", times.relapsed},
          {"followed_s", times.followed_s}};
}

Json plan_json(const RealityPlan& plan) {
  return {{"squeeze", name(plan.kind)},
          {"trims", plan.trims},
          {"limit_bytes", plan.limit_bytes},
          {"lowered_limit_bytes", plan.lowered_limit_bytes},
          {"neighbour_bytes", plan.neighbour_bytes},
          {"ramp_s", plan.ramp_s()},
          {"hold_s", plan.hold_s}};
}

Json row_json(const RealityRow& row) {
  return {{"squeeze", row.squeeze},
          {"metric", row.metric},
          {"unit", row.unit},
          {"real",
           {{"n", row.n_real}, {"median", row.real_median}, {"range", {row.real_lo, row.real_hi}}}},
          {"simulated",
           {{"n", row.n_simulated},
            {"median", row.simulated_median},
            {"range", {row.simulated_lo, row.simulated_hi}}}},
          {"ratio", row.ratio},
          {"ratio_ci95", {row.ratio_lo, row.ratio_hi}},
          {"verdict", row.verdict},
          {"words", row.words}};
}

Json context_json(const BenchContext& context) {
  BenchResults carrier;
  carrier.context = context;
  return Json::parse(to_json(carrier)).at("context");
}

RealityRecord read_document(const Json& json) {
  if (json.value("schema", "") != kSchema) {
    throw Error{ErrorCode::malformed, std::string("its schema is not ") + kSchema, {}};
  }
  RealityRecord record;
  record.context.model_sha256 = json.at("context").at("model_sha256").get<std::string>();
  const Json& sizes = json.at("sizes");
  visit_sizes([&](const char* key, auto& member) { sizes.at(key).get_to(member); }, record.sizes);
  for (const Json& item : json.at("runs")) {
    RealityRun& run = record.runs.emplace_back();
    const auto kind = parse_squeeze_kind(item.at("squeeze").get<std::string>());
    if (!kind) throw Error(kind.error());
    run.kind = *kind;
    visit_run([&](const char* key, auto& member) { item.at(key).get_to(member); }, run);
  }
  return record;
}

}  // namespace

std::string to_json(const RealityRecord& record) {
  Json json{{"schema", kSchema}, {"context", context_json(record.context)}};
  json["repetitions"] = record.repetitions;
  json["seeds"] = record.seeds;
  Json sizes = Json::object();
  visit_sizes([&](const char* key, const auto& member) { sizes[key] = member; }, record.sizes);
  json["sizes"] = std::move(sizes);
  json["plans"] = Json::array();
  for (const SqueezeKind kind : kSqueezeKinds) {
    json["plans"].push_back(plan_json(make_reality_plan(kind, record.sizes)));
  }
  json["runs"] = Json::array();
  for (const RealityRun& run : record.runs) {
    Json item{{"squeeze", name(run.kind)}};
    visit_run([&](const char* key, const auto& member) { item[key] = member; }, run);
    item["times"] = times_json(run.times);
    json["runs"].push_back(std::move(item));
  }
  json["rows"] = Json::array();
  for (const RealityRow& row : record.rows) json["rows"].push_back(row_json(row));
  json["missing"] = record.missing;
  return json.dump(2) + "\n";
}

Result<RealityRecord> parse_reality(std::string_view text, const std::string& path) {
  try {
    return read_document(Json::parse(text));
  } catch (const Error& error) {
    return fail(error.code, error.what, path);
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorCode::malformed, std::string("the record does not parse: ") + error.what(),
                path);
  }
}

}  // namespace kvpsi
