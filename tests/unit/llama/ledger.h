// SPDX-License-Identifier: MIT
// Ledger: what a context should hold, kept apart from it as plain maps: sequence, position, token
// and the bytes of its row. Whatever trimming, restoring and packing do, the context holds the
// same: in the cache or in the file, never in both, never nowhere. Next hop: gap_property_test.cpp.
#pragma once

#include <map>
#include <set>

#include "llama/cell_meta.h"
#include "llama/kv_rows.h"
#include "tiny_fixture.h"

namespace kvpsi::testing {

struct Entry {
  llama_token token = 0;
  std::string row;  ///< empty: not seen yet
};
using Entries = std::map<llama_pos, Entry>;

class Ledger {
 public:
  Ledger(llama_context* context, std::uint32_t sequences)
      : context_(context), sequences_(static_cast<llama_seq_id>(sequences)) {}

  Entries& of(llama_seq_id seq) { return held_[seq]; }
  llama_pos next(llama_seq_id seq) {
    return of(seq).empty() ? 0 : std::prev(of(seq).end())->first + 1;
  }

  const KvPart& part() const { return *find_attached(context_)->kv()->parts().front(); }
  const llama_kv_cells& cells(llama_seq_id seq) const { return part().cache().get_cells(seq); }

  /// Positions whose tokens are out of the cache.
  Entries trimmed(llama_seq_id seq) const {
    Entries out;
    find_attached(context_)->kv()->spill()->for_each_absent([&](const CellMeta& token) {
      if (token.seqs.test(static_cast<std::size_t>(seq))) out[token.pos].token = token.ext.tok;
    });
    return out;
  }

  /// Positions in the cache, wherever their rows are.
  Entries cached(llama_seq_id seq) const {
    Entries out;
    for (const auto& [pos, cell] : cells(seq).seq_pos_get(seq)) {
      out[pos].token = cells(seq).ext_get(cell).tok;
    }
    return out;
  }

  /// The bytes of the row; empty where they are in the file.
  std::string row(llama_seq_id seq, llama_pos pos) const {
    const auto& by_position = cells(seq).seq_pos_get(seq);
    const auto at = by_position.lower_bound({pos, 0});
    if (at == by_position.end() || at->first != pos) return {};
    const std::uint32_t stream = part().cache().get_stream(seq);
    if (part().cells().is_out(stream, at->second)) return {};
    std::string bytes(part().bytes_per_cell(), '\0');
    gather_rows(part().layout().layouts, stream, {&at->second, 1},
                std::as_writable_bytes(std::span(bytes)));
    return bytes;
  }

  /// Tokens and positions are what they should be. `with_rows`: rows in memory as well.
  void check(bool with_rows) {
    for (llama_seq_id seq = 0; seq < sequences_; ++seq) {
      const Entries in = cached(seq);
      const Entries out = trimmed(seq);
      std::map<llama_pos, llama_token> found;
      for (const auto& [pos, entry] : in) found[pos] = entry.token;
      for (const auto& [pos, entry] : out) {
        ASSERT_TRUE(found.emplace(pos, entry.token).second) << "twice: " << seq << " at " << pos;
      }
      std::map<llama_pos, llama_token> expected;
      for (const auto& [pos, entry] : of(seq)) expected[pos] = entry.token;
      ASSERT_EQ(found, expected) << "sequence " << seq;
      for (auto& [pos, entry] : of(seq)) {
        if (!with_rows) break;
        const std::string now = row(seq, pos);
        if (now.empty()) continue;
        if (entry.row.empty()) entry.row = now;
        ASSERT_TRUE(entry.row == now) << "row of sequence " << seq << " at " << pos;
      }
    }
  }

  /// Keys are about to be rotated: of those in the cache nothing is known.
  void forget_rows() {
    for (llama_seq_id seq = 0; seq < sequences_; ++seq) {
      for (const auto& [pos, entry] : cached(seq)) of(seq)[pos].row.clear();
    }
  }

  /// After a loss by name: what is left, rows as far as they were known.
  void take_as_is(llama_seq_id seq) {
    Entries now = cached(seq);
    now.merge(trimmed(seq));
    for (auto& [pos, entry] : now) {
      const auto known = of(seq).find(pos);
      if (known != of(seq).end()) entry.row = known->second.row;
    }
    of(seq) = now;
  }

  /// Takes what is there for what should be, and no row for known. Returns the tokens missing.
  std::uint64_t accept() {
    std::uint64_t missing = 0;
    for (llama_seq_id seq = 0; seq < sequences_; ++seq) {
      const std::size_t before = of(seq).size();
      take_as_is(seq);
      missing += before - of(seq).size();
      for (auto& [pos, entry] : of(seq)) entry.row.clear();
    }
    return missing;
  }

  bool shares(llama_seq_id seq) const {
    return std::ranges::any_of(cells(seq).seq_pos_get(seq),
                               [&](const auto& at) { return cells(seq).seq_count(at.second) > 1; });
  }

 private:
  llama_context* const context_;
  const llama_seq_id sequences_;
  std::map<llama_seq_id, Entries> held_;
};

}  // namespace kvpsi::testing
