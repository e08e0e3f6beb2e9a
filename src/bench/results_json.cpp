// SPDX-License-Identifier: MIT
// JSON of the benchmark's records, both ways. Each record has one list of fields, used by the
// writer and the reader alike, so that a field cannot be written and forgotten in reading.
// Next hop: results.cpp puts the text into files.
#include <nlohmann/json.hpp>
#include <type_traits>

#include "bench/results.h"

namespace kvpsi {
namespace {

using Json = nlohmann::ordered_json;

// One function a record: calls visit(name, member) for each field, in the file's sequence.
void visit_record(auto&& visit, auto& v)
  requires std::is_same_v<std::remove_cvref_t<decltype(v)>, LatencyMs>
{
  visit("p50", v.p50);
  visit("p99", v.p99);
  visit("max", v.max);
}

void visit_record(auto&& visit, auto& v)
  requires std::is_same_v<std::remove_cvref_t<decltype(v)>, StallPct>
{
  visit("some_pct", v.some_pct);
  visit("full_pct", v.full_pct);
}

void visit_record(auto&& visit, auto& v)
  requires std::is_same_v<std::remove_cvref_t<decltype(v)>, NeighbourRate>
{
  visit("rounds_s", v.rounds_s);
  visit("p99_ms", v.p99_ms);
}

void visit_record(auto&& visit, auto& v)
  requires std::is_same_v<std::remove_cvref_t<decltype(v)>, IdleTenants>
{
  visit("kv_bytes", v.kv_bytes);
  visit("kv_bytes_returned", v.kv_bytes_returned);
  visit("turns", v.turns);
  visit("turns_equal", v.turns_equal);
  visit("first_token_ms_median", v.first_token_ms_median);
  visit("first_token_ms_max", v.first_token_ms_max);
  visit("prefill_ms", v.prefill_ms);
}

void visit_record(auto&& visit, auto& v)
  requires std::is_same_v<std::remove_cvref_t<decltype(v)>, Trial>
{
  visit("trial", v.trial);
  visit("squeeze", v.squeeze);
  visit("order", v.order);
  visit("position", v.position);
  visit("variant", v.variant);
  visit("exit", v.exit);
  visit("stop_reason", v.stop_reason);
  visit("prompt_tokens", v.prompt_tokens);
  visit("n_ctx", v.n_ctx);
  visit("decoded", v.decoded);
  visit("tok_s", v.tok_s);
  visit("latency_ms", v.latency_ms);
  visit("load_s", v.load_s);
  visit("prefill_s", v.prefill_s);
  visit("prunes", v.prunes);
  visit("tokens_trimmed", v.tokens_trimmed);
  visit("tokens_restored", v.tokens_restored);
  visit("tokens_reevaluated", v.tokens_reevaluated);
  visit("tokens_lost", v.tokens_lost);
  visit("tokens_out", v.tokens_out);
  visit("reduced_context_s", v.reduced_context_s);
  visit("rest_s", v.rest_s);
  visit("kv_final_tokens", v.kv_final_tokens);
  visit("kv_bytes_resident_final", v.kv_bytes_resident_final);
  visit("kv_bytes_released", v.kv_bytes_released);
  visit("scratch_bytes_released", v.scratch_bytes_released);
  visit("spilled_bytes", v.spilled_bytes);
  visit("restored_bytes", v.restored_bytes);
  visit("idle", v.idle);
  visit("reaction_ms", v.reaction_ms);
  visit("own_psi", v.own_psi);
  visit("external_psi", v.external_psi);
  visit("neighbour", v.neighbour);
  visit("limit_bytes", v.limit_bytes);
  visit("peak_bytes", v.peak_bytes);
  visit("hwm_bytes", v.hwm_bytes);
  visit("oom_kills", v.oom_kills);
  visit("engine_cpu_us", v.engine_cpu_us);
  visit("text_equal", v.text_equal);
  visit("decode_start_us", v.decode_start_us);
  visit("decode_end_us", v.decode_end_us);
  visit("journal", v.journal);
  visit("summary", v.summary);
}

void visit_record(auto&& visit, auto& v)
  requires std::is_same_v<std::remove_cvref_t<decltype(v)>, SqueezeContext>
{
  visit("squeeze", v.squeeze);
  visit("scope", v.scope);
  visit("limit_rule", v.limit_rule);
  visit("limit_bytes", v.limit_bytes);
  visit("fixed_peak_bytes", v.fixed_peak_bytes);
  visit("weights_bytes", v.weights_bytes);
  visit("base_bytes", v.base_bytes);
  visit("live_kv_bytes", v.live_kv_bytes);
  visit("neighbour_bytes", v.neighbour_bytes);
  visit("n_ctx", v.n_ctx);
  visit("prompt_tokens", v.prompt_tokens);
  visit("n_predict", v.n_predict);
  visit("tenants", v.tenants);
  visit("then_tokens", v.then_tokens);
  visit("neighbour_alone", v.neighbour_alone);
  visit("pressure_arose", v.pressure_arose);
}

void visit_record(auto&& visit, auto& v)
  requires std::is_same_v<std::remove_cvref_t<decltype(v)>, BenchContext>
{
  visit("host", v.host);
  visit("kernel", v.kernel);
  visit("cpu", v.cpu);
  visit("psi", v.psi);
  visit("cgroup", v.cgroup);
  visit("swap", v.swap);
  visit("thp", v.thp);
  visit("model", v.model);
  visit("model_sha256", v.model_sha256);
  visit("llama_commit", v.llama_commit);
  visit("kvpsi_version", v.kvpsi_version);
  visit("flags", v.flags);
  visit("seed", v.seed);
  visit("threads", v.threads);
  visit("started_s", v.started_s);
  visit("seconds", v.seconds);
  visit("complete", v.complete);
  visit("trials_planned", v.trials_planned);
  visit("squeezes", v.squeezes);
  visit("warnings", v.warnings);
}

template <class T>
concept Record = requires(T& v) { visit_record([](const char*, auto&) {}, v); };

/// Values that a file holds by name.
template <class T>
concept Named =
    std::is_same_v<T, Squeeze> || std::is_same_v<T, Order> || std::is_same_v<T, Variant>;

template <class T>
Json write_value(const T& value) {
  if constexpr (Record<const T>) {
    Json json = Json::object();
    visit_record([&](const char* key, const auto& member) { json[key] = write_value(member); },
                 value);
    return json;
  } else if constexpr (Named<T>) {
    return std::string(name(value));
  } else if constexpr (requires { value.has_value(); }) {
    return value ? write_value(*value) : Json(nullptr);
  } else if constexpr (requires { typename T::traits_type; }) {
    return value;
  } else if constexpr (requires { value.begin(); }) {
    Json json = Json::array();
    for (const auto& item : value) json.push_back(write_value(item));
    return json;
  } else {
    return value;
  }
}

/// Reads into existing members; a missing field keeps its default. Throws nlohmann's exceptions or
/// an Error, both caught in parse_results.
template <class T>
void read_value(const Json& json, T& value) {
  if constexpr (Record<T>) {
    if (!json.is_object()) throw Error{ErrorCode::malformed, "an object was expected", {}};
    visit_record(
        [&](const char* key, auto& member) {
          if (const auto found = json.find(key); found != json.end()) read_value(*found, member);
        },
        value);
  } else if constexpr (Named<T>) {
    const auto parsed = [&] {
      const auto text = json.get<std::string>();
      if constexpr (std::is_same_v<T, Squeeze>) return parse_squeeze(text);
      if constexpr (std::is_same_v<T, Order>) return parse_order(text);
      if constexpr (std::is_same_v<T, Variant>) return parse_variant(text);
    }();
    if (!parsed) throw Error{ErrorCode::malformed, parsed.error().what, {}};
    value = *parsed;
  } else if constexpr (requires { value.has_value(); }) {
    if (json.is_null()) return value.reset();
    read_value(json, value.emplace());
  } else if constexpr (requires { typename T::traits_type; }) {
    value = json.get<std::string>();
  } else if constexpr (requires { value.push_back({}); }) {
    for (const auto& item : json) read_value(item, value.emplace_back());
  } else {
    json.get_to(value);
  }
}

Json write_verdict(const Verdict& verdict) {
  Json json = {{"ratio_median", verdict.ratio_median}};
  json["ci95"] = verdict.ci95_lo && verdict.ci95_hi
                     ? Json::array({*verdict.ci95_lo, *verdict.ci95_hi})
                     : Json(nullptr);
  json["order_effect"] = write_value(verdict.order_effect);
  json["n"] = verdict.n;
  json["words"] = verdict.words;
  return json;
}

Verdict read_verdict(const std::string& metric, const Json& json) {
  Verdict verdict;
  verdict.metric = metric;
  read_value(json.at("ratio_median"), verdict.ratio_median);
  if (const auto& ci = json.at("ci95"); !ci.is_null()) {
    verdict.ci95_lo = ci.at(0).get<double>();
    verdict.ci95_hi = ci.at(1).get<double>();
  }
  read_value(json.at("order_effect"), verdict.order_effect);
  read_value(json.at("n"), verdict.n);
  read_value(json.at("words"), verdict.words);
  return verdict;
}

BenchResults read_document(const Json& json) {
  if (!json.is_object() || !json.contains("schema")) {
    throw Error{ErrorCode::malformed, "this is no results file: it has no schema", {}};
  }
  if (const auto schema = json.at("schema").get<std::string>(); schema != kBenchSchema) {
    throw Error{
        ErrorCode::malformed, "schema '" + schema + "' is not " + std::string(kBenchSchema), {}};
  }
  BenchResults results;
  read_value(json.at("context"), results.context);
  read_value(json.at("trials"), results.trials);
  for (const auto& [metric, verdict] : json.at("verdict").items()) {
    results.verdicts.push_back(read_verdict(metric, verdict));
  }
  return results;
}

}  // namespace

std::string to_json(const BenchResults& results) {
  Json json = {{"schema", kBenchSchema},
               {"context", write_value(results.context)},
               {"trials", write_value(results.trials)},
               {"verdict", Json::object()}};
  for (const Verdict& verdict : results.verdicts) {
    json["verdict"][verdict.metric] = write_verdict(verdict);
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<BenchResults> parse_results(std::string_view text, const std::string& path) {
  try {
    return read_document(Json::parse(text));
  } catch (const Error& error) {
    return fail(error.code, error.what, path);
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorCode::malformed,
                std::string("the results do not parse, the file may be cut: ") + error.what(),
                path);
  }
}

}  // namespace kvpsi
