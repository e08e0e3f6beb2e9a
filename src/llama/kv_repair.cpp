// SPDX-License-Identifier: MIT
// See kv_repair.h.
#include "llama/kv_repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <string_view>

#include "llama/real_functions.h"

namespace kvpsi {

namespace {

using Tokens = std::map<llama_pos, llama_token>;

bool is_of(const CellMeta& meta, llama_seq_id seq) {
  return meta.pos >= 0 && meta.seqs.test(static_cast<std::size_t>(seq));
}

/// Positions of the sequence whose rows are lost, with their tokens.
Tokens lost_tokens(const LostCells& lost, llama_seq_id seq) {
  Tokens out;
  for (const CellBlock& block : lost.blocks) {
    for (std::size_t i = 0; i < block.cells.size(); ++i) {
      if (block.cells[i] == kNoCell || !is_of(block.metas[i], seq)) continue;
      out[block.metas[i].pos] = block.metas[i].ext.tok;
    }
  }
  for (const TrimmedBlock& block : lost.trimmed) {
    for (const CellMeta& meta : block.tokens) {
      if (is_of(meta, seq)) out[meta.pos] = meta.ext.tok;
    }
  }
  return out;
}

SeqSet owners_of(const LostCells& lost) {
  SeqSet out;
  for (const CellBlock& block : lost.blocks) out |= block.owners;
  for (const TrimmedBlock& block : lost.trimmed) {
    for (const CellMeta& meta : block.tokens) out |= meta.seqs;
  }
  return out;
}

/// All tokens of the sequence from p0 on, lost or not; empty where one of them is unknown.
Tokens tokens_from(const llama_kv_cells& cells, const KvSpill& spill, const Tokens& lost,
                   llama_seq_id seq, llama_pos p0) {
  Tokens out = lost;
  for (const auto& [pos, cell] : cells.seq_pos_get(seq)) {
    if (pos >= p0) out[pos] = cells.ext_get(cell).tok;
  }
  spill.trimmed().for_each([&](const CellMeta& meta) {
    if (is_of(meta, seq) && meta.pos >= p0) out[meta.pos] = meta.ext.tok;
  });
  llama_pos expected = p0;
  for (const auto& [pos, token] : out) {
    if (pos != expected++ || token == LLAMA_TOKEN_NULL) return {};
  }
  return out;
}

class Batch {
 public:
  explicit Batch(std::int32_t most) : batch_(llama_batch_init(most, 0, 1)) {}
  ~Batch() { llama_batch_free(batch_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  void clear() { batch_.n_tokens = 0; }
  void add(llama_token token, llama_pos pos, llama_seq_id seq) {
    const std::int32_t i = batch_.n_tokens++;
    batch_.token[i] = token;
    batch_.pos[i] = pos;
    batch_.n_seq_id[i] = 1;
    batch_.seq_id[i][0] = seq;
    batch_.logits[i] = 0;
  }
  std::int32_t size() const { return batch_.n_tokens; }
  bool decode(llama_context* context) { return __real_llama_decode(context, batch_) == 0; }

 private:
  llama_batch batch_;
};

/// Returns how many of the tokens were evaluated.
std::uint64_t evaluate(llama_context* context, const Tokens& tokens, llama_seq_id seq) {
  const auto most = static_cast<std::int32_t>(llama_n_batch(context));
  Batch batch(most);
  std::uint64_t done = 0;
  for (auto at = tokens.begin(); at != tokens.end();) {
    batch.clear();
    for (; at != tokens.end() && batch.size() < most; ++at) batch.add(at->second, at->first, seq);
    if (!batch.decode(context)) break;
    done += static_cast<std::uint64_t>(batch.size());
  }
  llama_synchronize(context);
  return done;
}

/// Lost positions leave the sequence, but the last: the next token must follow it.
void forget_positions(llama_memory_t memory, const Tokens& lost, llama_seq_id seq) {
  const llama_pos last = llama_memory_seq_pos_max(memory, seq);
  for (const auto& [pos, token] : lost) {
    if (pos != last) __real_llama_memory_seq_rm(memory, seq, pos, pos + 1);
  }
}

/// Where evaluating must begin so that `lost` follows a token in the cache: tokens that were
/// trimmed just before it are evaluated along.
llama_pos find_begin(const llama_kv_cells& cells, const KvSpill& spill, llama_seq_id seq,
                     llama_pos lost) {
  const auto& by_position = cells.seq_pos_get(seq);
  const auto at = by_position.lower_bound({lost, 0});
  if (at != by_position.begin()) return std::prev(at)->first + 1;
  llama_pos begin = lost;
  spill.trimmed().for_each([&](const CellMeta& token) {
    if (is_of(token, seq)) begin = std::min(begin, token.pos);
  });
  return begin;
}

/// Cells that the sequence can have from p0 on: its own and the free ones.
std::uint64_t count_room(const llama_kv_cells& cells, llama_seq_id seq, llama_pos p0) {
  std::uint64_t room = cells.size() - cells.get_used();
  const auto& by_position = cells.seq_pos_get(seq);
  for (auto at = by_position.lower_bound({p0, 0}); at != by_position.end(); ++at) {
    if (cells.seq_count(at->second) == 1) ++room;
  }
  return room;
}

/// Tokens in the file or lost out of it, at p0 or later, that are booked on this sequence.
std::uint64_t count_booked(const LostCells& lost, const KvSpill& spill, llama_seq_id seq,
                           llama_pos p0) {
  std::uint64_t count = 0;
  const auto look = [&](const CellMeta& token) {
    if (is_of(token, seq) && first_owner(token) == seq && token.pos >= p0) ++count;
  };
  for (const TrimmedBlock& block : lost.trimmed) block.for_each(look);
  spill.trimmed().for_each(look);
  return count;
}

class Repairer {
 public:
  Repairer(llama_context* context, llama_memory_t memory, const LostCells& lost, KvSpill& spill)
      : context_(context), memory_(memory), lost_(lost), spill_(spill) {}

  /// `gone`: what is lost of the sequence, not empty.
  Repair repair(llama_seq_id seq, const Tokens& gone, const RepairOptions& options) {
    if (seq == options.ending) return forget(seq, gone, "it ended before they were needed");
    const llama_kv_cells& cells = spill_.cells_of_sequence(seq);
    const llama_pos p0 =
        options.from_start ? 0 : find_begin(cells, spill_, seq, gone.begin()->first);
    const Tokens tokens = tokens_from(cells, spill_, gone, seq, p0);
    if (tokens.empty()) return forget(seq, gone, "what they were is not known");
    if (tokens.size() > count_room(cells, seq, p0)) return forget(seq, gone, "the cache is full");
    const std::uint64_t missing = gone.size() + spill_.trimmed().count(seq, p0);
    const std::uint64_t booked = count_booked(lost_, spill_, seq, p0);
    __real_llama_memory_seq_rm(memory_, seq, p0, -1);
    spill_.seq_rm(seq, p0, -1);
    spill_.look_again(false);
    const std::uint64_t done = evaluate(context_, tokens, seq);
    Repair out{.sequence = seq, .account = {}, .loss = {}};
    out.account.reevaluated = std::min(done, missing);
    out.account.lost = tokens.size() - done;
    out.account.spoiled = out.account.reevaluated + out.account.lost - booked;
    if (done < tokens.size()) out.loss = describe(out, p0, "evaluating them anew failed");
    return out;
  }

 private:
  Repair forget(llama_seq_id seq, const Tokens& gone, std::string_view why) {
    Repair out{.sequence = seq, .account = {}, .loss = {}};
    out.account.lost = gone.size();
    std::uint64_t booked = 0;
    for (const TrimmedBlock& block : lost_.trimmed) {
      block.for_each([&](const CellMeta& token) { booked += first_owner(token) == seq ? 1 : 0; });
    }
    out.account.spoiled = out.account.lost - booked;
    out.loss = describe(out, gone.begin()->first, why);
    forget_positions(memory_, gone, seq);
    return out;
  }

  static std::string describe(const Repair& repair, llama_pos p0, std::string_view why) {
    return fmt::format(
        "sequence {} lost {} tokens from position {} on: the spill file could not be read back, "
        "and {}",
        repair.sequence, repair.account.lost, p0, why);
  }

  llama_context* const context_;
  const llama_memory_t memory_;
  const LostCells& lost_;
  KvSpill& spill_;
};

}  // namespace

bool evaluate_anew(llama_context* context, llama_memory_t memory, const llama_kv_cells& cells,
                   KvSpill* spill, llama_seq_id seq, llama_pos p0,
                   std::span<const llama_token> tokens) {
  if (tokens.size() > count_room(cells, seq, p0)) return false;
  Tokens by_position;
  for (const llama_token token : tokens) {
    by_position[p0 + static_cast<llama_pos>(by_position.size())] = token;
  }
  __real_llama_memory_seq_rm(memory, seq, p0, -1);
  if (spill != nullptr) {
    spill->seq_rm(seq, p0, -1);
    spill->look_again(false);
  }
  return evaluate(context, by_position, seq) == tokens.size();
}

std::vector<Repair> repair(llama_context* context, llama_memory_t memory,
                           const RepairOptions& options, const LostCells& lost, KvSpill& spill) {
  std::vector<Repair> out;
  const SeqSet owners = owners_of(lost);
  Repairer repairer(context, memory, lost, spill);
  for (llama_seq_id seq = 0; seq < LLAMA_MAX_SEQ; ++seq) {
    if (!owners.test(static_cast<std::size_t>(seq))) continue;
    const Tokens gone = lost_tokens(lost, seq);
    if (gone.empty()) continue;
    out.push_back(repairer.repair(seq, gone, options));
    spill.look_again(true);
  }
  return out;
}

}  // namespace kvpsi
