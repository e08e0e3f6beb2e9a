// SPDX-License-Identifier: MIT
// The judging pass of the preflight: the model, its weights by kind, its KV cache, and whether
// there is room; see doctor_findings.h.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "base/bytes.h"
#include "report/doctor_findings.h"

namespace kvpsi {
namespace {

// Program, vocabulary and compute buffers besides weights and KV; 15 to 30 MiB were measured.
constexpr std::uint64_t kBaseBytes = 32 * kMiB;

std::string quoted(const std::string& path) {
  std::string out = "'";
  for (const char c : path) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

Finding unreadable(const DoctorFacts& facts) {
  const Error& error = *facts.model_error;
  return {"model", Weight::missing, "the model cannot be read: " + describe(error),
          error.code == ErrorCode::not_found
              ? "scripts/fetch.sh model"
              : fmt::format("ls -l {0} && head -c 4 {0}", quoted(facts.model_path))};
}

std::string types_in_words(const GgufHeader& header) {
  std::string text;
  for (const GgufTypeShare& share : header.types) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", gguf_type_name(share.type),
                        format_bytes(share.bytes));
  }
  return text;
}

Finding readable(const DoctorFacts& facts) {
  const GgufHeader& header = facts.model->header;
  const std::string file = std::filesystem::path(facts.model_path).filename().string();
  return {"model", Weight::good,
          fmt::format("{}: {}, GGUF version {}, {} in {} tensors ({})", file, header.architecture,
                      header.version, format_bytes(header.tensor_bytes), header.tensors,
                      types_in_words(header)),
          ""};
}

Finding judge_weights(const DoctorFacts& facts, std::uint64_t anon_bytes) {
  const GgufHeader& header = facts.model->header;
  if (anon_bytes == 0) {
    return {"weights", Weight::good,
            fmt::format("all {} of weights stay file-backed: the kernel may drop and re-read them",
                        format_bytes(header.tensor_bytes)),
            ""};
  }
  const std::uint64_t file_bytes =
      header.tensor_bytes > anon_bytes ? header.tensor_bytes - anon_bytes : 0;
  return {"weights", Weight::advice,
          fmt::format("{} of weights are repacked into anonymous memory at load ({} stay "
                      "file-backed): below them a limit kills instead of slowing down",
                      format_bytes(anon_bytes), format_bytes(file_bytes)),
          fmt::format("llama-quantize --allow-requantize {} model.Q4_1.gguf Q4_1",
                      quoted(facts.model_path))};
}

/// KV bytes of the whole context at f16; with a sliding window, at most.
std::optional<std::uint64_t> kv_bytes(const DoctorFacts& facts) {
  const auto per_token = kv_bytes_per_token(facts.model->header);
  if (!per_token) return std::nullopt;
  return *per_token * facts.n_ctx;
}

Finding judge_kv(const DoctorFacts& facts) {
  const GgufHeader& header = facts.model->header;
  if (header.sliding_window) {
    return {"kv", Weight::note,
            fmt::format("sliding-window attention ({} tokens): its two KV caches are released and "
                        "spilled, never trimmed",
                        *header.sliding_window),
            ""};
  }
  const auto bytes = kv_bytes(facts);
  if (!bytes) {
    return {"kv", Weight::note,
            "the KV size of a token differs by layer or is not told: `kvpsi run` says what it "
            "governs",
            ""};
  }
  if (header.context_length && facts.n_ctx > *header.context_length) {
    return {"kv", Weight::advice,
            fmt::format("-c {} is more than the {} tokens that the model was trained for",
                        facts.n_ctx, *header.context_length),
            fmt::format("kvpsi run -c {} -m {}", *header.context_length, quoted(facts.model_path))};
  }
  return {"kv", Weight::good,
          fmt::format("KV cache: {} a token, {} for -c {} (stock llama.cpp commits all of it at "
                      "start)",
                      format_bytes(*bytes / std::max<std::uint64_t>(facts.n_ctx, 1)),
                      format_bytes(*bytes), facts.n_ctx),
          ""};
}

/// The least of the machine's available memory and what each limit allows at all.
std::optional<std::uint64_t> room_for_all(const DoctorFacts& facts) {
  std::optional<std::uint64_t> room = facts.mem_available_bytes;
  for (const LimitFacts& limit : facts.limits) {
    room = std::min(room.value_or(limit.limit_bytes), limit.limit_bytes);
  }
  return room;
}

std::string raise_command(const DoctorFacts& facts, std::uint64_t bytes) {
  const auto tightest = std::ranges::min_element(facts.limits, {}, &LimitFacts::limit_bytes);
  if (tightest == facts.limits.end() || tightest->limit_bytes > bytes) {
    return "ps -eo rss,pid,comm --sort=-rss | head";
  }
  return fmt::format("echo {} | sudo tee {}", bytes, tightest->file);
}

Finding judge_room(const DoctorFacts& facts, std::uint64_t anon_bytes) {
  const auto room = room_for_all(facts);
  if (!room) return {"room", Weight::note, "how much memory there is, is unknown", ""};
  const std::uint64_t weights = facts.model->header.tensor_bytes;
  const std::uint64_t all = weights + kBaseBytes + kv_bytes(facts).value_or(0);
  const char* const at_most = facts.model->header.sliding_window ? "at most " : "";
  if (anon_bytes + kBaseBytes > *room) {
    return {"room", Weight::missing,
            fmt::format("{} of memory cannot hold the {} that are never reclaimable: it would be "
                        "killed",
                        format_bytes(*room), format_bytes(anon_bytes + kBaseBytes)),
            raise_command(facts, all)};
  }
  if (weights + kBaseBytes > *room) {
    return {"room", Weight::advice,
            fmt::format("{} of memory are less than weights and program ({}): weights are re-read "
                        "for every token, whatever happens to the KV cache",
                        format_bytes(*room), format_bytes(weights + kBaseBytes)),
            raise_command(facts, all)};
  }
  if (all > *room) {
    return {"room", Weight::note,
            fmt::format("{} of memory hold the weights but not the whole context ({}{}): this is "
                        "where governing pays",
                        format_bytes(*room), at_most, format_bytes(all)),
            ""};
  }
  return {"room", Weight::good,
          fmt::format("{} of memory hold weights, program and the whole context ({}{})",
                      format_bytes(*room), at_most, format_bytes(all)),
          ""};
}

}  // namespace

std::vector<Finding> judge_model(const DoctorFacts& facts) {
  if (facts.model_error) return {unreadable(facts)};
  if (!facts.model) return {};
  const std::uint64_t anon_bytes = expect_repacked_bytes(facts.model->header, facts.cpu);
  return {readable(facts), judge_weights(facts, anon_bytes), judge_kv(facts),
          judge_room(facts, anon_bytes)};
}

}  // namespace kvpsi
