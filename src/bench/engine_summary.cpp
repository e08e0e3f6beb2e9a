// SPDX-License-Identifier: MIT
// See engine_summary.h.
#include "bench/engine_summary.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace kvpsi {
namespace {

using Json = nlohmann::json;

/// A number that may be absent or null, as facts are that a machine does not offer.
std::uint64_t number(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? 0 : found->get<std::uint64_t>();
}

double real(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? 0 : found->get<double>();
}

const Json& part(const Json& json, const char* key) {
  static const Json none = Json::object();
  const auto found = json.find(key);
  return found == json.end() || !found->is_object() ? none : *found;
}

void read_timing(const Json& json, EngineSummary& summary) {
  summary.start_us = number(json, "start_us");
  summary.loaded_us = number(json, "loaded_us");
  summary.prefill_start_us = number(json, "prefill_start_us");
  summary.decode_start_us = json.at("decode_start_us").get<std::uint64_t>();
  summary.decode_end_us = json.at("decode_end_us").get<std::uint64_t>();
  summary.tok_s = real(json, "tok_s");
  const Json& latency = part(json, "latency_ms");
  summary.latency_ms = {real(latency, "p50"), real(latency, "p99"), real(latency, "max")};
}

void read_memory(const Json& json, EngineSummary& summary) {
  summary.kv_bytes_per_cell = number(part(json, "kv"), "bytes_per_cell");
  summary.scratch_resident_bytes = number(part(json, "scratch"), "resident_bytes");
  const Json& memory = part(json, "memory");
  summary.rss_anon_bytes = number(memory, "rss_anon_bytes");
  summary.hwm_bytes = number(memory, "hwm_bytes");
  summary.weights_file_bytes = number(memory, "weights_file_bytes");
  summary.weights_anon_bytes = number(memory, "weights_anon_bytes");
}

/// `kv` and `context` are members of a run's summary, or of its part about the end of decoding.
ContextAccount read_account(const Json& json) {
  const Json& kv = part(json, "kv");
  const Json& context = part(json, "context");
  ContextAccount account;
  account.kv_live_bytes = number(kv, "live_bytes");
  account.kv_resident_bytes = number(kv, "resident_bytes");
  account.kv_spilled_bytes = number(kv, "spilled_bytes");
  account.kv_tokens = number(kv, "tokens_final");
  account.tokens_trimmed = number(context, "tokens_trimmed");
  account.tokens_spoiled = number(context, "tokens_spoiled");
  account.tokens_restored = number(context, "tokens_restored");
  account.tokens_reevaluated = number(context, "tokens_reevaluated");
  account.tokens_lost = number(context, "tokens_lost");
  account.spilled_bytes = number(context, "spilled_bytes");
  account.restored_bytes = number(context, "restored_bytes");
  account.reduced_context_s = real(context, "reduced_context_s");
  return account;
}

double ms_between(std::uint64_t begin_us, std::uint64_t end_us) {
  return end_us > begin_us ? static_cast<double>(end_us - begin_us) / 1e3 : 0;
}

/// Prompts are evaluated one after the other: the next one begins where this one ends.
void read_conversations(const Json& json, EngineSummary& summary) {
  const auto found = json.find("conversations");
  if (found == json.end() || !found->is_array()) return;
  std::uint64_t prefilled_us = summary.decode_start_us;
  for (auto item = found->rbegin(); item != found->rend(); ++item) {
    ConversationSummary conversation;
    conversation.idle = item->value("idle", false);
    conversation.prompt_tokens = number(*item, "prompt_tokens");
    conversation.text = item->value("text", "");
    const std::uint64_t prefill_start_us = number(*item, "prefill_start_us");
    conversation.prefill_ms = ms_between(prefill_start_us, prefilled_us);
    prefilled_us = prefill_start_us;
    const Json& then = part(*item, "then");
    conversation.then_decoded = number(then, "decoded");
    conversation.then_text = then.value("text", "");
    conversation.then_first_token_ms =
        ms_between(number(then, "decode_start_us"), number(then, "first_token_us"));
    summary.conversations.push_back(std::move(conversation));
  }
  std::ranges::reverse(summary.conversations);
}

void read_governor(const Json& json, EngineSummary& summary) {
  summary.prunes = number(json, "prunes");
  summary.kv_bytes_released = number(json, "kv_bytes_released");
  summary.scratch_bytes_released = number(json, "scratch_bytes_released");
  const std::uint64_t stall_us = number(json, "first_stall_us");
  const std::uint64_t release_us = number(json, "first_release_us");
  if (stall_us > 0 && release_us >= stall_us) {
    summary.reaction_ms = static_cast<double>(release_us - stall_us) / 1000.0;
  }
}

EngineSummary read_document(const Json& json) {
  if (json.value("schema", "") != "kvpsi.run/1") {
    throw Error{ErrorCode::malformed, "its schema is not kvpsi.run/1", {}};
  }
  EngineSummary summary;
  summary.exit = json.at("exit").get<std::string>();
  summary.stop_reason = json.value("stop_reason", "");
  summary.n_ctx = number(json, "n_ctx");
  summary.prompt_tokens = number(json, "prompt_tokens");
  summary.decoded = json.at("decoded").get<std::uint64_t>();
  summary.text = json.value("text", "");
  read_timing(json.at("timing"), summary);
  read_memory(json, summary);
  summary.at_end = read_account(json);
  const Json& decode_end = part(json, "decode_end");
  summary.at_decode_end = decode_end.empty() ? summary.at_end : read_account(decode_end);
  summary.rest_s = real(decode_end, "rest_s");
  read_conversations(json, summary);
  read_governor(part(json, "governor"), summary);
  if (const Json& psi = part(json, "own_psi"); !psi.empty()) {
    summary.own_psi = StallPct{real(psi, "some_pct"), real(psi, "full_pct")};
  }
  summary.decode_cpu_us = number(part(json, "cpu_us"), "decode");
  return summary;
}

}  // namespace

std::uint64_t ContextAccount::tokens_out() const {
  const std::uint64_t settled = tokens_restored + tokens_reevaluated + tokens_lost;
  const std::uint64_t missed = tokens_trimmed + tokens_spoiled;
  return missed > settled ? missed - settled : 0;
}

Result<EngineSummary> parse_engine_summary(std::string_view text, const std::string& path) {
  if (text.empty()) return fail(ErrorCode::malformed, "the run ended without a summary", path);
  try {
    return read_document(Json::parse(text));
  } catch (const Error& error) {
    return fail(error.code, error.what, path);
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorCode::malformed, std::string("the summary does not parse: ") + error.what(),
                path);
  }
}

Result<EngineSummary> read_engine_summary(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::not_found, "cannot open the summary", path, errno);
  std::ostringstream text;
  text << file.rdbuf();
  return parse_engine_summary(text.str(), path);
}

}  // namespace kvpsi
