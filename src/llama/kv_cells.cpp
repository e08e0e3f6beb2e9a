// SPDX-License-Identifier: MIT
// See kv_cells.h. llama.cpp source: llama-kv-cells.h.
#include "llama/kv_cells.h"

#include <algorithm>
#include <array>
#include <bit>

#include "llama-kv-cache.h"

namespace kvpsi {

KvCells::KvCells(const llama_kv_cache& cache)
    : cache_(cache),
      cells_(cache.get_size()),
      streams_(cache.get_n_stream()),
      words_((cells_ + 63) / 64),
      touched_(std::size_t{words_} * streams_),
      touched_since_(touched_.size()),
      out_(touched_.size()),
      runs_(streams_),
      spans_(streams_) {}

void KvCells::note_live() {
  for (std::uint32_t s = 0; s < streams_; ++s) {
    const llama_kv_cells& cells = cache_.get_cells(static_cast<llama_seq_id>(s));
    const std::uint32_t end = cells.used_max_p1();
    for (std::uint32_t i = 0; i < end; ++i) {
      const std::size_t word = word_of(s, i);
      const std::uint64_t live = (std::uint64_t{!cells.is_empty(i)} << (i % 64)) & ~out_[word];
      touched_[word] |= live;
      touched_since_[word] |= live;
    }
  }
}

void KvCells::note_all() {
  for (std::uint32_t s = 0; s < streams_; ++s) {
    for (std::uint32_t i = 0; i < cells_; ++i) {
      touched_[word_of(s, i)] |= std::uint64_t{1} << (i % 64);
    }
  }
  touched_since_ = touched_;
}

void KvCells::forget_all() {
  std::ranges::fill(touched_, 0);
  std::ranges::fill(touched_since_, 0);
}

void KvCells::begin_pass() {
  std::ranges::fill(touched_since_, 0);
  note_live();
}

void KvCells::set_out(std::uint32_t stream, std::uint32_t cell, bool out) {
  std::uint64_t& word = out_[word_of(stream, cell)];
  const std::uint64_t bit = std::uint64_t{1} << (cell % 64);
  if (((word & bit) != 0) == out) return;
  word ^= bit;
  out ? ++out_count_ : --out_count_;
  if (!out) return;
  touched_[word_of(stream, cell)] |= bit;  // its pages are still to be released
  touched_since_[word_of(stream, cell)] |= bit;
}

std::uint64_t KvCells::used() const {
  std::uint64_t used = 0;
  for (std::uint32_t s = 0; s < streams_; ++s) {
    used += cache_.get_cells(static_cast<llama_seq_id>(s)).get_used();
  }
  return used;
}

std::uint64_t KvCells::fragmented(std::uint32_t page_cells) const {
  std::uint64_t cells_in_short_runs = 0;
  for (std::uint32_t s = 0; s < streams_; ++s) {
    const llama_kv_cells& cells = cache_.get_cells(static_cast<llama_seq_id>(s));
    const std::uint32_t end = cells.used_max_p1();
    std::uint32_t run = 0;
    for (std::uint32_t i = 0; i < end; ++i) {
      if (cells.is_empty(i) || is_out(s, i)) {
        ++run;
        continue;
      }
      cells_in_short_runs += std::min(run, page_cells);
      run = 0;
    }
  }
  return cells_in_short_runs;
}

std::uint64_t KvCells::touched() const {
  std::uint64_t touched = 0;
  for (const std::uint64_t word : touched_) {
    touched += static_cast<std::uint64_t>(std::popcount(word));
  }
  return touched;
}

std::uint64_t KvCells::touched_groups(std::uint32_t size) const {
  std::uint64_t groups = 0;
  for (std::uint32_t s = 0; s < streams_; ++s) {
    std::uint64_t last = ~std::uint64_t{0};
    for (std::uint32_t w = 0; w < words_; ++w) {
      std::uint64_t word = touched_[std::size_t{s} * words_ + w];
      for (; word != 0; word &= word - 1) {
        const std::uint64_t group =
            (std::uint64_t{w} * 64 + static_cast<std::uint64_t>(std::countr_zero(word))) / size;
        groups += group != last ? 1 : 0;
        last = group;
      }
    }
  }
  return groups;
}

/// Appends the free runs of the stream inside the ascending, disjoint windows.
void KvCells::collect(std::uint32_t stream, std::span<const CellRun> windows) {
  const llama_kv_cells& cells = cache_.get_cells(static_cast<llama_seq_id>(stream));
  const std::uint32_t used = cells.used_max_p1();
  std::vector<CellRun>& runs = runs_[stream];
  runs.clear();
  const auto add = [&runs](std::uint32_t begin, std::uint32_t end) {
    if (begin >= end) return;
    if (!runs.empty() && runs.back().end == begin) {
      runs.back().end = end;
    } else {
      runs.push_back({begin, end});
    }
  };
  for (const CellRun& window : windows) {
    const std::uint32_t end = std::min(window.end, used);
    std::uint32_t begin = window.begin;
    for (std::uint32_t i = window.begin; i < end; ++i) {
      if (cells.is_empty(i) || is_out(stream, i)) continue;
      add(begin, i);
      begin = i + 1;
    }
    add(begin, window.end);
  }
}

std::span<const std::span<const CellRun>> KvCells::finish() {
  for (std::uint32_t s = 0; s < streams_; ++s) spans_[s] = runs_[s];
  return spans_;
}

std::span<const std::span<const CellRun>> KvCells::free_runs(std::uint32_t margin) {
  const auto grown = [this](std::uint64_t cell) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(cell, cells_));
  };
  for (std::uint32_t s = 0; s < streams_; ++s) {
    const auto words = std::span(touched_).subspan(std::size_t{s} * words_, words_);
    const auto first = std::ranges::find_if(words, [](std::uint64_t word) { return word != 0; });
    std::array<CellRun, 3> windows{CellRun{0, grown(margin)}, CellRun{0, 0},
                                   CellRun{cells_ - grown(margin), cells_}};
    if (first != words.end()) {
      auto last = words.end() - 1;
      while (*last == 0) --last;
      const auto begin = static_cast<std::uint64_t>(first - words.begin()) * 64;
      const auto end = static_cast<std::uint64_t>(last - words.begin() + 1) * 64;
      windows[1] = {static_cast<std::uint32_t>(begin > margin ? begin - margin : 0),
                    grown(end + margin)};
    }
    std::uint32_t covered = 0;  // make the windows ascending and disjoint
    for (CellRun& window : windows) {
      window.begin = std::max(window.begin, covered);
      window.end = std::max(window.begin, window.end);
      covered = window.end;
    }
    collect(s, windows);
  }
  return finish();
}

std::span<const std::span<const CellRun>> KvCells::all_free_runs() {
  const CellRun whole{0, cells_};
  for (std::uint32_t s = 0; s < streams_; ++s) collect(s, {&whole, 1});
  return finish();
}

}  // namespace kvpsi
