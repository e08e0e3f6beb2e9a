// SPDX-License-Identifier: MIT
// KvPart: one llama_kv_cache (a sliding-window model has two) as memory: how much of it is
// resident, which pages hold nothing that lives, and handing those back. Knows nothing of trimming
// or spilling but the mark "out" in its cells. Everything runs with the engine's mutex held. Next
// hops: kv_cells.h (what is free), base/page_map.h (which pages), kv_pool.h (who asks).
#pragma once

#include <cstdint>
#include <span>

#include "base/page_map.h"
#include "llama/counters.h"
#include "llama/elastic.h"
#include "llama/kv_cells.h"
#include "llama/kv_layout.h"
#include "llama/release_slices.h"

class llama_kv_cache;

namespace kvpsi {

class KvPart {
 public:
  /// `layout.layouts` must not be empty. With `elastic` off the buffer counts as resident; pages
  /// are released only where `may_release`.
  KvPart(const llama_kv_cache& cache, KvLayout layout, bool elastic, bool may_release,
         Counters& counters);

  const llama_kv_cache& cache() const { return cache_; }
  const KvLayout& layout() const { return layout_; }
  KvCells& cells() { return cells_; }
  const KvCells& cells() const { return cells_; }
  std::uint64_t bytes_per_cell() const { return layout_.bytes_per_cell; }
  std::uintptr_t base_address() const { return map_.whole_pages().front().begin; }

  /// Rows may have been written anywhere: K-shift, a failed decode, a copied stream, a state load.
  void on_written_everywhere();
  void on_cleared();
  /// The context is gone: its buffers may be forked again.
  void let_go();

  /// Brings the arithmetic up to date; to be called before the numbers below are read.
  void refresh();
  std::uint64_t reserved_bytes() const { return map_.reserved_bytes(); }
  std::uint64_t live_bytes() const { return cells_.live() * layout_.bytes_per_cell; }
  std::uint64_t resident_bytes() const;
  std::uint64_t releasable_bytes() const;
  std::uint64_t compactable_bytes() const;
  std::uint64_t granule_bytes() const;
  /// By page map; the arithmetic where that cannot be read.
  std::uint64_t measured_bytes();
  /// Cells whose rows fill whole pages of every tensor, for rounding.
  std::uint32_t granule_cells() const;

  /// Hands back every page without a live cell until the time is over: `more` then.
  SliceRelease release(std::uint64_t budget_us);

  /// 0, or the errno with which the kernel refuses to take a free page back (EINVAL: mlocked).
  int probe();
  SelfCheck self_check();

 private:
  void note_all_if_resident();
  void end_release_pass();
  void correct_residue();
  std::uint64_t resident_by_arithmetic() const;

  const llama_kv_cache& cache_;
  const KvLayout layout_;
  const bool elastic_;
  const bool may_release_;
  Counters& counters_;
  PageMap map_;
  KvCells cells_;
  std::int64_t residue_bytes_ = 0;  ///< measured minus computed residency
  bool residue_stale_ = true;       ///< measure at the next refresh
  bool swept_all_ = false;          ///< the last release covered every free page
  std::uintptr_t resume_at_ = 0;    ///< where an unfinished release goes on; 0 = from the start
};

}  // namespace kvpsi
