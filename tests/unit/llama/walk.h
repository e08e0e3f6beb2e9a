// SPDX-License-Identifier: MIT
// Walk: one context under a random host and a random governor that trims, restores, packs, spills
// and releases, with a ledger of what the context should hold beside it. Next hops: ledger.h,
// gap_property_test.cpp, spill_fault_test.cpp.
#pragma once

#include "ledger.h"
#include "llama/real_functions.h"
#include "schedule.h"

namespace kvpsi::testing {

inline GovernOptions options_of(SpillStore& store, std::uint64_t seed) {
  return {.trim = TrimMode::last_resort,
          .keep = 4,
          .tail = 6,
          .min_prune = 3,
          .trim_at_rest = true,
          .spill = &store,
          .spill_idle_us = 0,
          .spill_block_bytes = block_bytes_of(seed)};
}

struct Totals {
  std::uint64_t trimmed = 0;
  std::uint64_t restored = 0;
  std::uint64_t lost = 0;
  std::uint64_t reevaluated = 0;
  std::uint64_t refused = 0;  // decodes that found the cache full
  std::uint64_t losses = 0;   // clauses
};

class Walk {
 public:
  Walk(const TinyKind& kind, SpillStore& store, std::uint64_t seed)
      : kind_(kind), prng_(seed), fills_up_(seed % 3 == 0), context_(tiny_context(kind, true)) {
    governed_ =
        GovernedContext::attach(tiny_model(kind.window), context_.get(), options_of(store, seed))
            .value();
    kv_ = pool_of(*governed_, PoolKind::kv);
    memory_ = llama_get_memory(context_.get());
    ledger_ = std::make_unique<Ledger>(context_.get(), kind.sequences);
  }

  void step(Totals& totals) {
    call(totals);
    ASSERT_NO_FATAL_FAILURE(check()) << story_;
    govern();
    ASSERT_NO_FATAL_FAILURE(check()) << story_;
    const auto losses = governed_->take_losses();
    totals.losses += losses.size();
    for (const std::string& loss : losses) story_ += "\n    (" + loss + ")";
  }

  /// Every row comes back and is what it was, one sequence after the other so that all fit.
  void finish(Totals& totals) {
    while (pending_) step(totals);
    if (!may_lose_) {
      ASSERT_NO_FATAL_FAILURE(compare_placement()) << story_;
    }
    for (llama_seq_id seq = 0; seq < count(); ++seq) {
      saved(context_.get(), seq);
      ASSERT_NO_FATAL_FAILURE(check()) << story_;
      ASSERT_TRUE(ledger_->trimmed(seq).empty() || cells_left(seq) == 0) << story_;
      llama_memory_seq_rm(memory_, seq, -1, -1);
      ledger_->of(seq).clear();
    }
    const ContextMemory memory = governed_->measure();
    EXPECT_EQ(memory.kv_trimmed_bytes + memory.kv_spilled_bytes, 0u) << story_;
    EXPECT_TRUE(may_lose_ || memory.tokens_reevaluated == 0) << story_;
    EXPECT_GE(memory.tokens_trimmed + memory.tokens_spoiled,
              memory.tokens_restored + memory.tokens_reevaluated + memory.tokens_lost)
        << story_;
    totals.reevaluated += memory.tokens_reevaluated;
    totals.trimmed += memory.tokens_trimmed;
    totals.restored += memory.tokens_restored;
    totals.lost += memory.tokens_lost;
  }

  const std::string& story() const { return story_; }

  /// The file may fail to give something back: what is evaluated anew has other rows, and what is
  /// missing must have been counted.
  void allow_losses() { may_lose_ = true; }

 private:
  void accept_losses() {
    const ContextMemory memory = governed_->measure();
    if (may_lose_ && memory.tokens_reevaluated + memory.tokens_lost > reevaluated_ + lost_) {
      ASSERT_LE(ledger_->accept(), memory.tokens_lost - lost_);
      lost_ = memory.tokens_lost;
      reevaluated_ = memory.tokens_reevaluated;
    }
  }

  void check() {
    ASSERT_NO_FATAL_FAILURE(accept_losses());
    const bool awaits_repair = find_attached(context_.get())->kv()->spill()->has_lost();
    ledger_->check(!pending_ && !awaits_repair);
  }

  llama_seq_id count() const { return static_cast<llama_seq_id>(kind_.sequences); }
  llama_seq_id any() { return static_cast<llama_seq_id>(prng_.below(kind_.sequences)); }
  llama_pos upto(llama_pos most) {
    return most <= 0 ? 0 : static_cast<llama_pos>(prng_.below(static_cast<std::uint64_t>(most)));
  }
  void tell(const std::string& what, llama_seq_id a, std::int64_t b = -1, std::int64_t c = -1) {
    story_ +=
        "\n  " + what + " " + std::to_string(a) + " " + std::to_string(b) + " " + std::to_string(c);
  }

  void call(Totals& totals) {
    const std::uint64_t dice = fills_up_ && prng_.below(3) > 0 ? 0 : prng_.below(100);
    if (pending_ || dice < 60) return decode(totals);
    if (dice < 75) return cut();
    if (dice < 81) return copy();
    if (dice < 83) return keep();
    if (dice < 84) return clear();
    if (dice < 89) return shift();
    return transfer();
  }

  void decode(Totals& totals) {
    const llama_seq_id seq = any();
    const auto tokens = static_cast<std::int32_t>(1 + prng_.below(24));
    tell("decode", seq, ledger_->next(seq), tokens);
    llama_batch batch = llama_batch_init(tokens, 0, 1);
    for (std::int32_t i = 0; i < tokens; ++i) {
      batch.token[i] = static_cast<llama_token>(1 + prng_.below(255));
      batch.pos[i] = ledger_->next(seq) + i;
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = seq;
      batch.logits[i] = i + 1 == tokens;
    }
    batch.n_tokens = tokens;
    const std::int32_t result = llama_decode(context_.get(), batch);
    // Full is an answer; a position that does not follow the last one is the gap rule broken.
    const bool full = cells_left(seq) < static_cast<std::uint32_t>(tokens);
    EXPECT_TRUE(result == 0 || (result == 1 && full) || (result == -1 && full)) << result << story_;
    totals.refused += result != 0 ? 1 : 0;
    const llama_pos first = ledger_->next(seq);
    for (std::int32_t i = 0; result == 0 && i < tokens; ++i) {
      ledger_->of(seq)[first + i].token = batch.token[i];
    }
    llama_batch_free(batch);
    if (result == 0 || result == 1) pending_ = false;
    if (result != 0) clear();
  }

  std::uint32_t cells_left(llama_seq_id seq) const {
    return ledger_->cells(seq).size() - ledger_->cells(seq).get_used();
  }

  void cut() {
    const llama_seq_id seq = prng_.below(12) == 0 ? -1 : any();
    const llama_pos end = ledger_->next(std::max(seq, 0));
    const std::uint64_t how = prng_.below(4);
    const llama_pos p0 = how == 0 ? -1 : upto(end);
    const llama_pos p1 = how == 1 ? p0 + upto(end - p0) : -1;
    tell("seq_rm", seq, p0, p1);
    llama_memory_seq_rm(memory_, seq, p0, p1);
    for (llama_seq_id s = std::max(seq, 0); s < (seq < 0 ? count() : seq + 1); ++s) {
      std::erase_if(ledger_->of(s), [&](const auto& entry) {
        return entry.first >= p0 && (p1 < 0 || entry.first < p1);
      });
    }
  }

  void copy() {
    const llama_seq_id from = any();
    const llama_seq_id to = any();
    if (from == to) return;
    const bool whole = !kind_.unified || prng_.below(2) == 0;
    const llama_pos p1 = whole ? -1 : upto(ledger_->next(from)) + 1;
    tell("seq_cp", from, to, p1);
    if (may_lose_) {  // what is lost of a sequence is lost before it is copied
      saved(context_.get(), from);
      ASSERT_NO_FATAL_FAILURE(accept_losses());
    }
    llama_memory_seq_rm(memory_, to, -1, -1);
    llama_memory_seq_cp(memory_, from, to, -1, p1);
    pending_ = pending_ || !kind_.unified;
    const Entries all = ledger_->of(from);
    ledger_->of(to) = Entries(all.begin(), whole ? all.end() : all.lower_bound(p1));
    if (!kind_.unified && !ledger_->trimmed(from).empty()) ledger_->take_as_is(to);
  }

  void keep() {
    const llama_seq_id seq = any();
    tell("seq_keep", seq);
    llama_memory_seq_keep(memory_, seq);
    for (llama_seq_id s = 0; s < count(); ++s) {
      if (s != seq && kind_.unified) ledger_->of(s).clear();
    }
  }

  void clear() {
    const bool data = prng_.below(2) == 0;
    tell("clear", data ? 1 : 0);
    llama_memory_clear(memory_, data);
    for (llama_seq_id s = 0; s < count(); ++s) ledger_->of(s).clear();
  }

  void shift() {
    const llama_seq_id seq = any();
    const llama_pos end = ledger_->next(seq);
    if (end < 20 || ledger_->shares(seq)) return;
    const llama_pos p0 = upto(end / 2);
    const llama_pos p1 = p0 + 1 + upto(end / 3);
    tell("shift", seq, p0, p1);
    llama_memory_seq_rm(memory_, seq, p0, p1);
    const std::uint64_t lost = governed_->measure().tokens_lost;
    llama_memory_seq_add(memory_, seq, p1, -1, p0 - p1);
    Entries moved;
    for (const auto& [pos, entry] : ledger_->of(seq)) {
      if (pos < p0) moved[pos] = entry;
      if (pos >= p1) moved[pos - (p1 - p0)] = entry;
    }
    ledger_->of(seq) = moved;
    if (governed_->measure().tokens_lost > lost) ledger_->take_as_is(seq);
    ledger_->forget_rows();
    pending_ = true;
  }

  void transfer() {
    const llama_seq_id from = any();
    const llama_seq_id to = any();
    tell("state", from, to);
    const std::string state = saved(context_.get(), from);
    ASSERT_NO_FATAL_FAILURE(accept_losses());
    Entries copied = ledger_->of(from);
    const Entries missing = ledger_->trimmed(from);
    std::erase_if(copied, [&](const auto& entry) { return missing.contains(entry.first); });
    const auto said = governed_->take_losses();
    EXPECT_TRUE(missing.empty() || !said.empty()) << story_;
    const auto* const data = reinterpret_cast<const std::uint8_t*>(state.data());
    const std::size_t read = llama_state_seq_set_data(context_.get(), data, state.size(), to);
    if (read > 0 && copied.empty()) return;  // leaves the sequence as it was
    if (read > 0) {
      for (auto& [pos, entry] : copied) entry.token = LLAMA_TOKEN_NULL;  // saved without
      ledger_->of(to) = copied;
    } else if (ledger_->cached(to).empty()) {
      ledger_->of(to).clear();
    }
  }

  void govern() {
    const std::uint64_t dice = prng_.below(14);
    if (dice >= 11) return;
    static constexpr Verb kVerbs[] = {Verb::trim,    Verb::trim,    Verb::trim,    Verb::trim,
                                      Verb::restore, Verb::restore, Verb::compact, Verb::compact,
                                      Verb::spill,   Verb::spill,   Verb::release};
    const Verb verb = kVerbs[dice];
    const std::uint64_t bytes =
        prng_.below(4) == 0 ? std::uint64_t{1} << 30 : 1 + prng_.below(150'000);
    const Action action = action_of(verb, bytes, prng_.below(3) == 0 ? 1 : 20'000);
    const bool leaves = prng_.below(3) == 0;
    story_ += (leaves ? " later " : " ") + std::string(name(verb)) + " " + std::to_string(bytes);
    const Outcome outcome =
        leaves ? leave_request(context_.get(), *kv_, action) : kv_->apply(action);
    story_ += " " + std::string(name(outcome.status));
    waiting_ += outcome.status == Status::queued ? 1 : 0;
    if (prng_.below(4) == 0) waiting_ -= drained(*kv_).size();
    if (verb != Verb::release || leaves || outcome.status == Status::more) return;
    // One that went on with an unfinished one leaves what was freed behind it to the next.
    if (kv_->apply(action_of(Verb::release, 0, 1'000'000)).status == Status::more) return;
    EXPECT_EQ(resident_without_need(context_.get()), 0u) << story_;
  }

  /// A stock context whose cells are put in the same places answers alike.
  void compare_placement() {
    while (waiting_ > 0) waiting_ -= drained(*kv_).size();
    do {
      for (llama_seq_id seq = 0; seq < count(); ++seq) saved(context_.get(), seq);
      while (kv_->apply(action_of(Verb::compact, 0)).status == Status::more) continue;
    } while (governed_->measure().kv_spilled_bytes > governed_->measure().kv_trimmed_bytes);
    const Context stock = tiny_context(kind_, false);
    copy_cells(*stock);
    for (llama_context* const context : {stock.get(), context_.get()}) {
      for (llama_seq_id seq = 0; seq < count(); ++seq) {  // moves the head to the front
        __real_llama_memory_seq_add(llama_get_memory(context), seq, 100'000, 100'001, 1);
      }
    }
    for (llama_seq_id seq = 0; seq < count(); ++seq) {
      if (cells_left(seq) < 8) continue;
      const auto tokens = std::vector<llama_token>{1, 2, static_cast<llama_token>(3 + seq)};
      ASSERT_EQ(testing::decode(stock.get(), tokens, seq), 0);
      ASSERT_EQ(testing::decode(context_.get(), tokens, seq), 0);
      ASSERT_TRUE(bit_equal(logits_of(stock.get(), tiny_model(kind_.window)),
                            logits_of(context_.get(), tiny_model(kind_.window))));
      for (const llama_token token : tokens) ledger_->of(seq)[ledger_->next(seq)].token = token;
    }
  }

  void copy_cells(llama_context& stock) const {
    const llama_kv_cache& to = cache_of(&stock);
    const KvLayout layout = read_kv_layout(to, *tiny_model(kind_.window));
    for (std::uint32_t stream = 0; stream < to.get_n_stream(); ++stream) {
      const llama_kv_cells& from = ledger_->part().cache().get_cells(static_cast<int>(stream));
      for (std::uint32_t cell = 0; cell < from.size(); ++cell) {
        if (from.is_empty(cell)) continue;
        std::string bytes(layout.bytes_per_cell, '\0');
        const auto buffer = std::as_writable_bytes(std::span(bytes));
        gather_rows(ledger_->part().layout().layouts, stream, {&cell, 1}, buffer);
        scatter_rows(layout.layouts, stream, {&cell, 1}, buffer);
        set_meta(kvpsi::cells_of(to, stream), cell, read_meta(from, cell));
      }
    }
  }

  const TinyKind kind_;
  Prng prng_;
  const bool fills_up_;  // until what was trimmed finds no room
  Context context_;
  std::unique_ptr<GovernedContext> governed_;
  MemoryPool* kv_ = nullptr;
  llama_memory_t memory_ = nullptr;
  std::unique_ptr<Ledger> ledger_;
  bool pending_ = false;
  std::size_t waiting_ = 0;  // requests left
  bool may_lose_ = false;
  std::uint64_t lost_ = 0;  // as last looked at
  std::uint64_t reevaluated_ = 0;
  std::string story_;
};

}  // namespace kvpsi::testing
