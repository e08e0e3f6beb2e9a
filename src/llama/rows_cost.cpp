// SPDX-License-Identifier: MIT
// See rows_cost.h.
#include "llama/rows_cost.h"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/prng.h"
#include "llama/elastic.h"
#include "llama/engine.h"
#include "llama/paired_arm.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kStepUs = 20'000;
constexpr std::uint64_t kPatienceUs = 60'000'000;

/// A context with its governor's hands on it, but no governor: the comparison acts itself.
struct GovernedArm {
  PairedArm arm;
  std::unique_ptr<GovernedContext> context;
  MemoryPool* kv = nullptr;
};

class Measurement {
 public:
  explicit Measurement(const RowsCostOptions& options) : options_(options) {}

  Result<RowsCost> run();

 private:
  Result<PairedArm> load();
  Result<GovernedArm> load_governed();
  Result<void> act(GovernedArm& arm, Verb verb, std::uint64_t bytes);
  Result<RestoreRound> leave_and_return(GovernedArm& arm);
  Result<void> prefill(PairedArm& arm, std::uint32_t count);
  Result<void> decode_blocks();
  Result<std::uint64_t> time_block(PairedArm& arm);
  void tell();

  const RowsCostOptions& options_;
  std::vector<Token> tokens_;
  std::uint32_t n_batch_ = 0;
  std::uint32_t steps_ = 0;
  RowsCost result_;
};

void Measurement::tell() {
  if (options_.on_progress) options_.on_progress(++steps_, options_.rounds + options_.pairs);
}

Result<PairedArm> Measurement::load() {
  EngineOptions engine;
  engine.model = options_.model;
  engine.threads = options_.threads;
  engine.n_ctx = options_.tokens + options_.pairs * options_.block_tokens + 256;
  n_batch_ = engine.n_batch;
  auto loaded = Engine::load(engine);
  if (!loaded) return std::unexpected(loaded.error());
  PairedArm arm;
  arm.engine = std::move(*loaded);
  if (tokens_.empty()) {
    tokens_ = make_token_ids(options_.seed, *engine.n_ctx, *arm.engine);
  }
  return arm;
}

Result<GovernedArm> Measurement::load_governed() {
  auto arm = load();
  if (!arm) return std::unexpected(arm.error());
  GovernOptions govern;
  govern.trim = TrimMode::eager;
  govern.keep = options_.keep;
  govern.tail = options_.tail;
  govern.trim_at_rest = true;
  govern.spill = options_.spill;
  govern.spill_idle_us = 0;
  auto context = GovernedContext::attach(arm->engine->model(), arm->engine->context(), govern);
  if (!context) return std::unexpected(context.error());
  GovernedArm governed{std::move(*arm), std::move(*context), nullptr};
  for (MemoryPool* pool : governed.context->pools()) {
    if (pool->kind() == PoolKind::kv) governed.kv = pool;
  }
  if (governed.kv != nullptr) return governed;
  return fail(ErrorCode::unsupported, "this model's KV cache is not governed", options_.model);
}

/// Asks until it is done; the engine is at rest, so that every step is carried out at once.
Result<void> Measurement::act(GovernedArm& arm, Verb verb, std::uint64_t bytes) {
  const std::uint64_t begin_us = monotonic_us();
  while (monotonic_us() - begin_us < kPatienceUs) {
    const Outcome outcome =
        arm.kv->apply({.verb = verb, .pool = PoolKind::kv, .bytes = bytes, .budget_us = kStepUs});
    if (outcome.status == Status::failed) {
      return fail(ErrorCode::io, fmt::format("the pool failed to {}", name(verb)), {},
                  static_cast<int>(outcome.errno_value));
    }
    if (outcome.status == Status::done || outcome.status == Status::nothing) return {};
  }
  return fail(ErrorCode::io, fmt::format("to {} takes longer than a minute", name(verb)));
}

Result<void> Measurement::prefill(PairedArm& arm, std::uint32_t count) {
  auto done = decode_next(arm, tokens_, count, n_batch_);
  if (done) llama_synchronize(arm.engine->context());
  return done;
}

Result<std::uint64_t> Measurement::time_block(PairedArm& arm) {
  const std::uint64_t begin_us = monotonic_us();
  auto done = decode_next(arm, tokens_, options_.block_tokens, 1);
  if (!done) return std::unexpected(done.error());
  llama_synchronize(arm.engine->context());
  return monotonic_us() - begin_us;
}

/// Decodes one token and takes it out again.
Result<std::vector<float>> probe(PairedArm& arm, std::vector<Token>& tokens, std::uint64_t& us) {
  const auto position = static_cast<llama_pos>(arm.next_token);
  const std::uint64_t begin_us = monotonic_us();
  auto done = decode_next(arm, tokens, 1, 1);
  if (!done) return std::unexpected(done.error());
  auto logits = last_logits(arm);
  us = monotonic_us() - begin_us;
  --arm.next_token;
  llama_memory_seq_rm(llama_get_memory(arm.engine->context()), 0, position, -1);
  return logits;
}

Result<RestoreRound> Measurement::leave_and_return(GovernedArm& arm) {
  RestoreRound round;
  llama_memory_clear(llama_get_memory(arm.arm.engine->context()), false);
  arm.arm.next_token = 0;
  std::uint64_t begin_us = monotonic_us();
  auto done = prefill(arm.arm, options_.tokens);
  round.prefill_us = monotonic_us() - begin_us;
  if (!done) return std::unexpected(done.error());
  const auto before = probe(arm.arm, tokens_, round.token_us);
  if (!before) return std::unexpected(before.error());
  begin_us = monotonic_us();
  if (done = act(arm, Verb::spill, ~std::uint64_t{0} / 2); !done) {
    return std::unexpected(done.error());
  }
  round.spill_us = monotonic_us() - begin_us;
  const ContextMemory memory = arm.context->measure();
  round.spilled_bytes = memory.kv_spilled_bytes;
  if (round.spilled_bytes < options_.tokens * memory.kv_bytes_per_cell) {
    return fail(ErrorCode::io, fmt::format("only {} of {} bytes left memory", round.spilled_bytes,
                                           options_.tokens * memory.kv_bytes_per_cell));
  }
  const auto after = probe(arm.arm, tokens_, round.token_from_disk_us);
  if (!after) return std::unexpected(after.error());
  round.logits_equal =
      std::memcmp(before->data(), after->data(), before->size() * sizeof(float)) == 0;
  return round;
}

Result<void> Measurement::decode_blocks() {
  auto fresh = load();
  auto holes = load();
  auto packed = load_governed();
  for (const Error* error : {fresh ? nullptr : &fresh.error(), holes ? nullptr : &holes.error(),
                             packed ? nullptr : &packed.error()}) {
    if (error != nullptr) return std::unexpected(*error);
  }
  const std::uint32_t left = options_.keep + options_.tail;
  for (auto [arm, count] :
       {std::pair{&*fresh, left}, {&*holes, options_.tokens}, {&packed->arm, options_.tokens}}) {
    if (auto done = prefill(*arm, count); !done) return done;
  }
  llama_memory_seq_rm(llama_get_memory(holes->engine->context()), 0,
                      static_cast<llama_pos>(options_.keep),
                      static_cast<llama_pos>(options_.tokens - options_.tail));
  for (const Verb verb : {Verb::trim, Verb::compact}) {
    if (auto done = act(*packed, verb, ~std::uint64_t{0} / 2); !done) return done;
  }
  result_.tokens_left = packed->context->measure().kv_cells_live;
  if (result_.tokens_left != left) {
    return fail(ErrorCode::io,
                fmt::format("the trim left {} tokens instead of {}", result_.tokens_left, left));
  }
  Prng order(options_.seed + 1);
  for (std::uint32_t i = 0; i < options_.pairs; ++i) {
    TrimmedBlocks blocks;
    std::array<std::pair<PairedArm*, std::uint64_t*>, 3> turns = {
        {{&*fresh, &blocks.fresh_us},
         {&*holes, &blocks.holes_us},
         {&packed->arm, &blocks.packed_us}}};
    for (std::size_t at = turns.size(); at > 1; --at) {
      std::swap(turns[at - 1], turns[order.below(at)]);
    }
    for (const auto& [arm, us] : turns) {
      const auto took = time_block(*arm);
      if (!took) return std::unexpected(took.error());
      *us = *took;
    }
    result_.blocks.push_back(blocks);
    tell();
  }
  return {};
}

Result<RowsCost> Measurement::run() {
  if (options_.keep + options_.tail >= options_.tokens) {
    return fail(ErrorCode::invalid_argument, "keep and tail leave nothing to trim");
  }
  set_elastic(true);
  {
    auto arm = load_governed();
    if (!arm) return std::unexpected(arm.error());
    for (std::uint32_t i = 0; i < options_.rounds; ++i) {
      const auto round = leave_and_return(*arm);
      if (!round) return std::unexpected(round.error());
      result_.rounds.push_back(*round);
      tell();
    }
  }
  if (auto done = decode_blocks(); !done) return std::unexpected(done.error());
  return std::move(result_);
}

}  // namespace

Result<RowsCost> measure_rows_cost(const RowsCostOptions& options) {
  return Measurement(options).run();
}

}  // namespace kvpsi
