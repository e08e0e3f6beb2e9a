// SPDX-License-Identifier: MIT
// KvPool: the KV cache as memory that can be given back. Releases the pages of free cells
// (lossless, at any safe point) and, where allowed, trims sequences before a decode (final).
// Everything but the constructor runs with the engine's mutex held.
// Next hops: kv_cells.h (what is free), base/page_map.h (which pages), trim.h (what to drop).
#pragma once

#include <cstdint>
#include <span>

#include "base/page_map.h"
#include "evict/sinks_window.h"
#include "llama.h"
#include "llama/counters.h"
#include "llama/elastic.h"
#include "llama/gated_pool.h"
#include "llama/kv_cells.h"
#include "llama/kv_layout.h"

class llama_kv_cache;

namespace kvpsi {

class KvPool final : public GatedPool {
 public:
  /// `layout.layouts` must not be empty. With `elastic` off the buffer counts as resident and pages
  /// are never released.
  KvPool(EngineGate& gate, const llama_kv_cache& cache, llama_memory_t memory,
         const KvLayout& layout, const GovernOptions& options, bool elastic, Counters& counters);
  ~KvPool() override;

  // Doorbells. Engine's mutex held.
  void before_cells_change() { cells_.note_live(); }
  void on_positions_shifted() { written_everywhere(); }
  void on_stream_copy_asked() { copy_pending_ = cache_streams_ > 1; }
  void on_cleared();
  /// The first graph of a decode is about to run: llama.cpp has carried out pending copies.
  void before_graph();
  void on_decode_failed() { written_everywhere(); }
  /// The context is gone: forget the pages.
  void let_go();

  /// Trims at least `wanted` cells if the options allow it. Inference thread, no decode running.
  Outcome trim_cells(std::uint64_t wanted);

  std::uint64_t cells_left() const;
  /// 0, or the errno with which the kernel refuses to take a free page back (EINVAL: mlocked).
  int probe();
  SelfCheck self_check();
  /// Fills in the KV part by page map.
  void measure(ContextMemory& out);
  std::uint64_t base_address() const { return map_.whole_pages().front().begin; }

 protected:
  PoolView look() override;
  Outcome perform(const Action& action) override;
  bool is_allowed(Verb verb, Moment moment) const override;
  int refusal(Verb verb) const override;

 private:
  Outcome release(std::uint64_t budget_us);
  Outcome trim(const Action& action);
  Outcome release_from(std::span<const PageRange> ranges, std::uint64_t budget_us);
  void end_release_pass();
  SinksWindow rule() const;
  void written_everywhere();
  void correct_residue();
  std::uint64_t resident_by_arithmetic() const;
  std::uint64_t resident_now() const;
  std::uint64_t trimmable_cells() const;
  std::uint64_t cells_above_floor() const;
  std::uint64_t granule_bytes() const;
  bool may_release() const { return elastic_ && options_.release; }

  const llama_kv_cache& cache_;
  const llama_memory_t memory_;
  const KvLayout layout_;
  const GovernOptions options_;
  const bool elastic_;
  const std::uint32_t cache_streams_;
  Counters& counters_;
  PageMap map_;
  KvCells cells_;
  bool copy_pending_ = false;          ///< a stream's cells look free but are still to be copied
  std::int64_t residue_bytes_ = 0;     ///< measured minus computed residency
  bool residue_stale_ = true;          ///< measure at the next look
  bool swept_all_ = false;             ///< the last release covered every free page
  std::uintptr_t resume_at_ = 0;       ///< where an unfinished release goes on; 0 = from the start
  std::uint64_t pass_idle_cells_ = 0;  ///< touched free cells when that release began
};

}  // namespace kvpsi
