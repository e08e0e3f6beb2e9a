// SPDX-License-Identifier: MIT
// Which cells go to the file next. Blocks hold cells of one stream in ascending order, so that a
// sequence that was filled alone is copied in long runs; where sequences interleave, the pages come
// back once all of them are out. See kv_spill.h.
#include <algorithm>

#include "base/clock.h"
#include "llama/kv_spill.h"

namespace kvpsi {

std::size_t KvSpill::capacity(const KvPart& part) const {
  return std::max<std::size_t>(worker_->buffer_bytes() / part.bytes_per_cell(), 1);
}

SeqSet KvSpill::find_idle(std::uint64_t least_us) const {
  const std::uint64_t now_us = monotonic_us();
  SeqSet idle;
  for (std::size_t s = 0; s < used_us_.size(); ++s) {
    idle.set(s, !pinned_.test(s) && !in_use_.test(s) && now_us - used_us_[s] >= least_us);
  }
  return idle;
}

/// Cells of the stream that are being written.
std::vector<bool> KvSpill::cells_on_their_way(const KvPart& part, std::uint32_t stream) const {
  std::vector<bool> busy(part.cells().per_stream());
  const auto mark = [&](const Job& job) {
    const bool writes = job.work == Work::page_out || job.work == Work::trim;
    if (!writes || job.block.part != &part || job.block.stream != stream) return;
    for (const std::uint32_t cell : job.block.cells) {
      if (cell != kNoCell) busy[cell] = true;
    }
  };
  std::ranges::for_each(jobs_, mark);
  std::ranges::for_each(written_, mark);
  return busy;
}

/// Cells of the sequence that nobody but idle sequences owns, as many as fit a block.
void KvSpill::collect_idle(KvPart& part, llama_seq_id seq, const SeqSet& idle,
                           CellBlock& out) const {
  const std::uint32_t stream = part.cache().get_stream(seq);
  const llama_kv_cells& cells = part.cache().get_cells(seq);
  if (cells.seq_pos_get(seq).empty()) return;
  const std::vector<bool> busy = cells_on_their_way(part, stream);
  const std::size_t most = capacity(part);
  for (std::uint32_t i = 0; i < cells.used_max_p1() && out.cells.size() < most; ++i) {
    if (cells.is_empty(i) || busy[i] || part.cells().is_out(stream, i)) continue;
    if (!cells.seq_has(i, seq) || (cells.seq_get_all(i) & ~idle).any()) continue;
    out.add(i, read_meta(cells, i));
  }
  out.part = &part;
  out.stream = stream;
}

bool KvSpill::choose_idle(CellBlock& out) const {
  const SeqSet idle = idle_sequences();
  std::vector<llama_seq_id> seqs;
  for (std::uint32_t s = 0; s < parts_.front()->cache().get_n_seq_max(); ++s) {
    if (idle.test(s)) seqs.push_back(static_cast<llama_seq_id>(s));
  }
  std::ranges::stable_sort(
      seqs, {}, [this](llama_seq_id s) { return used_us_[static_cast<std::size_t>(s)]; });
  for (const llama_seq_id seq : seqs) {
    for (KvPart* const part : parts_) {
      collect_idle(*part, seq, idle, out);
      if (!out.cells.empty()) return true;
    }
  }
  return false;
}

std::uint64_t KvSpill::spillable_bytes() const { return count_bytes(idle_sequences()); }

std::uint64_t KvSpill::idle_bytes() const {
  return park_us_ == 0 ? 0 : count_bytes(parked_sequences());
}

std::uint64_t KvSpill::count_bytes(const SeqSet& idle) const {
  std::uint64_t bytes = 0;
  for (const KvPart* const part : parts_) {
    for (std::uint32_t stream = 0; stream < part->cells().streams(); ++stream) {
      const llama_kv_cells& cells = part->cache().get_cells(static_cast<llama_seq_id>(stream));
      for (std::uint32_t i = 0; i < cells.used_max_p1(); ++i) {
        const bool counts = !cells.is_empty(i) && !part->cells().is_out(stream, i) &&
                            (cells.seq_get_all(i) & ~idle).none();
        bytes += counts ? part->bytes_per_cell() : 0;
      }
    }
  }
  return std::min(bytes, can_write() ? store_.room_bytes() : 0);
}

/// Tokens at one position (an image) leave together or not at all: takes those at `position` out of
/// the block again.
static void drop_position(CellBlock& block, llama_pos position) {
  while (!block.metas.empty() && block.metas.back().pos == position) {
    block.metas.pop_back();
    block.cells.pop_back();
  }
}

/// Fills the block from the span and moves the span's begin behind what was looked at.
void KvSpill::collect_span(TrimSpan& from, CellBlock& out) const {
  KvPart& part = *parts_.front();
  out.part = &part;
  out.stream = part.cache().get_stream(from.seq);
  const llama_kv_cells& cells = part.cache().get_cells(from.seq);
  const std::vector<bool> busy = cells_on_their_way(part, out.stream);
  const auto& by_position = cells.seq_pos_get(from.seq);
  for (auto at = by_position.lower_bound({from.span.begin, 0});
       at != by_position.end() && at->first < from.span.end; ++at) {
    const auto [position, cell] = *at;
    if (out.cells.size() == capacity(part)) {
      drop_position(out, position);
      // A group larger than a block stays where it is.
      from.span.begin = out.cells.empty() ? position + 1 : position;
      return;
    }
    const bool alone = cells.seq_count(cell) == 1;
    if (alone && !busy[cell] && !part.cells().is_out(out.stream, cell)) {
      out.add(cell, read_meta(cells, cell));
    }
  }
  from.span.begin = from.span.end;
}

bool KvSpill::choose_span(CellBlock& out) {
  while (!spans_.empty() && out.cells.empty()) {
    collect_span(spans_.front(), out);
    if (spans_.front().span.begin >= spans_.front().span.end) spans_.pop_front();
  }
  return !out.cells.empty();
}

}  // namespace kvpsi
