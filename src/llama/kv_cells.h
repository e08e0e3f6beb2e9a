// SPDX-License-Identifier: MIT
// Which cells of a llama_kv_cache are live, which are free, and which free ones may still hold
// pages. Derived from llama.cpp's own cells each time: a failed decode or a state load changes them
// without telling anybody. Cells whose rows lie in the spill file ("out") are marked here by
// kv_spill: their metadata is live, their memory counts as free. Only reads the cache; the engine's
// mutex is held by the caller. Next hop: kv_pool.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/page_map.h"

class llama_kv_cache;

namespace kvpsi {

class KvCells {
 public:
  explicit KvCells(const llama_kv_cache& cache);

  /// Marks every live cell as touched. To be called before cells are freed and now and then.
  /// About 1 us a thousand live cells.
  void note_live();

  /// All cells may have been written: K-shift, a failed decode, a copied stream.
  void note_all();

  /// The buffer was cleared: no free cell holds anything.
  void forget_all();

  /// A release of all free pages begins, and ends perhaps much later: what was touched before it
  /// began and never since holds no page then.
  void begin_pass();
  void end_pass() { touched_ = touched_since_; }

  /// The rows of a live cell went to the file, or are back in memory. A cell that is freed must be
  /// marked as back at once, before anything else can take it.
  void set_out(std::uint32_t stream, std::uint32_t cell, bool out);
  bool is_out(std::uint32_t stream, std::uint32_t cell) const {
    return (out_[word_of(stream, cell)] >> (cell % 64) & 1) != 0;
  }
  std::uint64_t out() const { return out_count_; }

  std::uint64_t total() const { return std::uint64_t{cells_} * streams_; }
  std::uint32_t per_stream() const { return cells_; }
  std::uint32_t streams() const { return streams_; }
  std::uint64_t used() const;  ///< hold a token, wherever its rows are
  std::uint64_t live() const { return used() - out_count_; }  ///< of these, rows in memory
  std::uint64_t touched() const;  ///< live, or written since the last release

  /// Aligned groups of `size` cells with a touched cell, over all streams: pages of a transposed
  /// row.
  std::uint64_t touched_groups(std::uint32_t size) const;

  /// Bytes' worth of free cells in runs so short that hardly a page of them is whole: what packing
  /// could free, in cells. `page_cells`: cells a page row spans.
  std::uint64_t fragmented(std::uint32_t page_cells) const;

  /// Free runs of each stream as far as they may hold pages: around touched cells and at the ends
  /// of a stream, where a page may reach into the neighbouring tensor, each widened by `margin`
  /// cells. Valid until the next call.
  std::span<const std::span<const CellRun>> free_runs(std::uint32_t margin);

  /// All free runs, whether touched or not. Valid until the next call of either.
  std::span<const std::span<const CellRun>> all_free_runs();

 private:
  std::size_t word_of(std::uint32_t stream, std::uint32_t cell) const {
    return std::size_t{stream} * words_ + cell / 64;
  }
  void collect(std::uint32_t stream, std::span<const CellRun> windows);
  std::span<const std::span<const CellRun>> finish();

  const llama_kv_cache& cache_;
  std::uint32_t cells_ = 0;
  std::uint32_t streams_ = 0;
  std::uint32_t words_ = 0;                   // of 64 cells, a stream
  std::vector<std::uint64_t> touched_;        // [stream][word]
  std::vector<std::uint64_t> touched_since_;  // the pass began
  std::vector<std::uint64_t> out_;            // [stream][word]
  std::uint64_t out_count_ = 0;
  std::vector<std::vector<CellRun>> runs_;  // reused
  std::vector<std::span<const CellRun>> spans_;
};

}  // namespace kvpsi
