// SPDX-License-Identifier: MIT
// What the tests of spilling share: tiny models of every kind of cache, contexts small enough that
// cells are reused all the time, a spill file on a real disk, and a way to leave a request that is
// served inside a decode. Next hops: schedule.h (random calls), model_fixture.h.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <mutex>
#include <thread>

#include "linux/pages.h"
#include "linux/spill_file.h"
#include "llama/attached.h"
#include "llama/governed_state.h"
#include "model_fixture.h"
#include "support/tiny_model.h"

// Thousands of decodes take minutes under ThreadSanitizer; the shorter tests show it both threads.
#ifdef __SANITIZE_THREAD__
#define KVPSI_LONG_WALK() GTEST_SKIP() << "too long under ThreadSanitizer"
#else
#define KVPSI_LONG_WALK() static_cast<void>(0)
#endif

namespace kvpsi::testing {

/// One kind of cache. A window makes it a pair of caches, one of which reuses its cells.
struct TinyKind {
  const char* name;
  ggml_type type = GGML_TYPE_F16;
  llama_flash_attn_type flash = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  std::uint32_t sequences = 3;
  bool unified = true;
  std::uint32_t window = 0;
};
inline void PrintTo(const TinyKind& kind, std::ostream* out) { *out << kind.name; }

inline constexpr TinyKind kTinyUnified{"unified"};
inline constexpr TinyKind kTinyStreams{
    .name = "streams", .flash = LLAMA_FLASH_ATTN_TYPE_AUTO, .unified = false};
inline constexpr TinyKind kTinyWindow{.name = "window", .window = 16};
inline constexpr TinyKind kTinyKinds[] = {
    kTinyUnified,
    {.name = "q8_0", .type = GGML_TYPE_Q8_0},
    kTinyStreams,
    {.name = "q8_0_streams", .type = GGML_TYPE_Q8_0, .unified = false},
    {.name = "no_flash_attention", .flash = LLAMA_FLASH_ATTN_TYPE_DISABLED},
    kTinyWindow,
    {.name = "window_streams", .unified = false, .window = 16},
};

/// Loaded once a window, kept for the process.
inline llama_model* tiny_model(std::uint32_t window) {
  const auto load = [](std::uint32_t of) {
    const test::TemporaryFile file("tiny-" + std::to_string(of) + ".gguf");
    const bool is_written = test::TinyModelWriter({.window = of}).write(file.path());
    set_elastic(true);
    return is_written ? load_model(file.path()) : Model{};
  };
  static const Model plain = load(0);
  static const Model windowed = load(16);
  return window == 0 ? plain.get() : windowed.get();
}

/// Several graphs a batch, and a cache that fills up.
inline Context tiny_context(const TinyKind& kind, bool elastic, std::uint32_t cells = 256) {
  set_elastic(elastic);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = kind.unified ? cells : cells * kind.sequences;
  if (kind.window > 0 && kind.unified) params.n_ctx *= 2;  // more than the window's cache has
  params.n_batch = 24;
  params.n_ubatch = 8;
  params.n_seq_max = kind.sequences;
  params.n_threads = params.n_threads_batch = 1;
  params.type_k = params.type_v = kind.type;
  params.flash_attn_type = kind.flash;
  params.kv_unified = kind.unified;
  params.swa_full = false;
  params.offload_kqv = false;
  params.no_perf = true;
  return Context(llama_init_from_model(tiny_model(kind.window), params));
}

/// On a real disk: TMPDIR may lie in memory, where nobody spills.
inline Result<std::unique_ptr<SpillFile>> open_spill_file(std::uint64_t budget = 1 << 30,
                                                          SpillIo& io = system_spill_io()) {
  SpillFileOptions options;
  options.place.allow_flash = true;
  const auto directory = default_spill_directory(options.place);
  if (!directory) return std::unexpected(directory.error());
  options.directory = *directory;
  options.budget_bytes = budget;
  options.io_pressure.clear();
  return SpillFile::open(options, io);
}

/// One, a dozen or all cells a block.
inline std::uint64_t block_bytes_of(std::uint64_t seed) {
  return seed % 4 == 0 ? 4096 : seed % 4 == 1 ? 20'000 : 3 << 20;
}

inline Action action_of(Verb verb, std::uint64_t bytes, std::uint64_t budget_us = 20'000) {
  return {
      .decision_id = 1, .verb = verb, .pool = PoolKind::kv, .bytes = bytes, .budget_us = budget_us};
}

/// Leaves the request as a governor does that finds the engine busy: the next decode serves it.
inline Outcome leave_request(llama_context* context, MemoryPool& pool, const Action& action) {
  Outcome outcome;
  const std::lock_guard lock(find_attached(context)->engine());
  std::thread governor([&] { outcome = pool.apply(action); });
  governor.join();
  return outcome;
}

/// Bytes in memory on pages that hold no cell whose row is in memory, over all caches.
inline std::uint64_t resident_without_need(llama_context* context) {
  std::uint64_t bytes = 0;
  for (const auto& part : find_attached(context)->kv()->parts()) {
    const KvLayout& layout = part->layout();
    PageMap map(layout.layouts, layout.buffers, page_bytes());
    bytes += resident_exclusive_bytes(map.free_pages(part->cells().all_free_runs())).value();
  }
  return bytes;
}

inline std::uint64_t env_or(const char* name, std::uint64_t otherwise) {
  const char* const given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

}  // namespace kvpsi::testing
