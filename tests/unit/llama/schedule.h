// SPDX-License-Identifier: MIT
// Random calls to llama.cpp as a server makes them, each to be carried out on several contexts that
// must answer alike: decodes of one or several sequences, cuts, copies, shifts, saved and loaded
// state. The choice looks at the first context only. Next hop: spill_property_test.cpp.
#pragma once

#include <functional>
#include <string>

#include "tiny_fixture.h"

namespace kvpsi::testing {

/// A call and its answer as bytes: what it returned, logits, saved state.
struct Call {
  std::string what;
  std::function<std::string(llama_context*)> run;
};

template <class T>
std::string bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

inline std::string word_of(std::int64_t value) {
  return bytes_of(std::span<const std::int64_t>(&value, 1));
}

inline std::string saved(llama_context* context, llama_seq_id seq) {
  std::vector<std::uint8_t> state(llama_state_seq_get_size(context, seq));
  state.resize(llama_state_seq_get_data(context, state.data(), state.size(), seq));
  return bytes_of(std::span<const std::uint8_t>(state));
}

class Schedule {
 public:
  Schedule(const TinyKind& kind, llama_context* model, std::uint64_t seed)
      : kind_(kind), context_(model), memory_(llama_get_memory(model)), prng_(seed) {}

  Call next() {
    const std::uint64_t dice = prng_.below(100);
    if (pending_ || dice < 50) return decode();
    if (dice < 62) return cut();
    if (dice < 70) return copy();
    if (dice < 72) return keep();
    if (dice < 73) return clear();
    if (dice < 80) return shift();
    if (dice < 90) return transfer();
    if (dice < 94) return transfer_file();
    if (dice < 96) return transfer_all();
    return cut_all();
  }

  /// The next call must be a decode, which carries out what the last one asked for.
  bool is_pending() const { return pending_; }

 private:
  llama_seq_id any() { return static_cast<llama_seq_id>(prng_.below(kind_.sequences)); }
  llama_pos last(llama_seq_id seq) const { return llama_memory_seq_pos_max(memory_, seq); }
  llama_pos upto(llama_pos most) {
    return most <= 0 ? 0 : static_cast<llama_pos>(prng_.below(static_cast<std::uint64_t>(most)));
  }
  static std::string of(llama_seq_id seq) { return " seq " + std::to_string(seq); }
  static std::string at(llama_pos p0, llama_pos p1) {
    return " [" + std::to_string(p0) + "," + std::to_string(p1) + ")";
  }

  struct Token {
    llama_token token = 0;
    llama_seq_id seq = 0;
  };

  static std::string run_decode(llama_context* context, const std::vector<Token>& tokens) {
    const llama_memory_t memory = llama_get_memory(context);
    llama_batch batch = llama_batch_init(static_cast<std::int32_t>(tokens.size()), 0, 1);
    llama_pos next[LLAMA_MAX_SEQ];
    for (llama_seq_id s = 0; s < static_cast<llama_seq_id>(llama_n_seq_max(context)); ++s) {
      next[s] = llama_memory_seq_pos_max(memory, s) + 1;
    }
    for (const Token& token : tokens) {
      const auto i = batch.n_tokens++;
      batch.token[i] = token.token;
      batch.pos[i] = next[token.seq]++;
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = token.seq;
      batch.logits[i] = 1;
    }
    const std::int32_t result = llama_decode(context, batch);
    llama_batch_free(batch);
    std::string answer = word_of(result);
    if (result != 0) return answer;
    const auto width = static_cast<std::size_t>(
        llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(context))));
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(tokens.size()); ++i) {
      answer += bytes_of(std::span<const float>(llama_get_logits_ith(context, i), width));
    }
    return answer;
  }

  Call decode() {
    pending_ = false;
    std::vector<Token> tokens;
    std::string what = "decode";
    const std::uint64_t how_many = 1 + prng_.below(prng_.below(3) == 0 ? kind_.sequences : 1);
    for (std::uint64_t i = 0; i < how_many; ++i) {
      const llama_seq_id seq = any();
      const std::uint64_t count = prng_.below(3) == 0 ? 1 : 1 + prng_.below(24 / how_many);
      what += of(seq) + " +" + std::to_string(count);
      for (std::uint64_t t = 0; t < count; ++t) {
        tokens.push_back({static_cast<llama_token>(prng_.below(256)), seq});
      }
    }
    const auto mixes = prng_.below(2);
    for (std::size_t i = tokens.size(); mixes == 1 && i > 1; --i) {
      std::swap(tokens[i - 1], tokens[prng_.below(i)]);
    }
    return {what, [tokens](llama_context* c) { return run_decode(c, tokens); }};
  }

  Call remove(llama_seq_id seq, llama_pos p0, llama_pos p1) {
    return {"seq_rm" + of(seq) + at(p0, p1), [=](llama_context* c) {
              return word_of(llama_memory_seq_rm(llama_get_memory(c), seq, p0, p1) ? 1 : 0);
            }};
  }

  Call cut() {
    const llama_seq_id seq = any();
    const llama_pos end = last(seq) + 1;
    const llama_pos p0 = upto(end);
    switch (prng_.below(4)) {
      case 0:
        return remove(seq, -1, -1);
      case 1:
        return remove(seq, p0, p0 + upto(end - p0));
      default:
        return remove(seq, end - upto(std::min(end, 20)), -1);
    }
  }

  Call cut_all() {
    const llama_pos p0 = 20 + upto(100);
    return remove(-1, p0, prng_.below(2) == 0 ? -1 : p0 + 30);
  }

  Call copy() {
    const llama_seq_id from = any();
    const llama_seq_id to = any();
    if (from == to) return decode();
    const bool whole = !kind_.unified || prng_.below(2) == 0;
    const llama_pos p1 = whole ? -1 : upto(last(from) + 1);
    pending_ = !kind_.unified;  // the rows follow with the next decode
    return {"seq_cp" + of(from) + of(to) + at(-1, p1), [=](llama_context* c) {
              llama_memory_seq_rm(llama_get_memory(c), to, -1, -1);
              llama_memory_seq_cp(llama_get_memory(c), from, to, -1, p1);
              return std::string();
            }};
  }

  Call keep() {
    const llama_seq_id seq = any();
    return {"seq_keep" + of(seq), [=](llama_context* c) {
              llama_memory_seq_keep(llama_get_memory(c), seq);
              return std::string();
            }};
  }

  Call clear() {
    const bool data = prng_.below(2) == 0;
    return {"clear", [=](llama_context* c) {
              llama_memory_clear(llama_get_memory(c), data);
              return std::string();
            }};
  }

  /// What a server does that runs out of context.
  Call shift() {
    const llama_seq_id seq = any();
    const llama_pos end = last(seq) + 1;
    if (end < 12 || !llama_memory_can_shift(memory_)) return decode();
    const llama_pos p0 = upto(end / 2);
    const llama_pos p1 = p0 + 1 + upto(end / 3);
    pending_ = true;
    return {"shift" + of(seq) + at(p0, p1), [=](llama_context* c) {
              const llama_memory_t memory = llama_get_memory(c);
              llama_memory_seq_rm(memory, seq, p0, p1);
              llama_memory_seq_add(memory, seq, p1, -1, p0 - p1);
              return std::string();
            }};
  }

  Call transfer() {
    const llama_seq_id from = any();
    const llama_seq_id to = any();
    const bool loads = prng_.below(3) != 0;
    return {"state of" + of(from) + (loads ? " to" + of(to) : ""), [=](llama_context* c) {
              const std::string state = saved(c, from);
              if (!loads) return state;
              const auto* const data = reinterpret_cast<const std::uint8_t*>(state.data());
              const std::size_t read = llama_state_seq_set_data(c, data, state.size(), to);
              return state + word_of(static_cast<std::int64_t>(read));
            }};
  }

  Call transfer_file() {
    const llama_seq_id from = any();
    const llama_seq_id to = any();
    return {
        "state file of" + of(from) + " to" + of(to), [=](llama_context* c) {
          const test::TemporaryFile file("state.bin");
          const std::string path = file.path();
          const std::size_t wrote = llama_state_seq_save_file(c, path.c_str(), from, nullptr, 0);
          std::size_t count = 0;
          llama_token none = 0;  // without room for tokens nothing is loaded
          const std::size_t asked =
              llama_state_seq_load_file(c, path.c_str(), to, nullptr, 0, &count);
          const std::size_t read = llama_state_seq_load_file(c, path.c_str(), to, &none, 1, &count);
          return word_of(static_cast<std::int64_t>(wrote)) +
                 word_of(static_cast<std::int64_t>(asked)) +
                 word_of(static_cast<std::int64_t>(read));
        }};
  }

  Call transfer_all() {
    return {"whole state", [](llama_context* c) {
              std::vector<std::uint8_t> state(llama_state_get_size(c));
              const std::size_t wrote = llama_state_get_data(c, state.data(), state.size());
              const std::size_t read = llama_state_set_data(c, state.data(), wrote);
              return word_of(static_cast<std::int64_t>(wrote)) +
                     word_of(static_cast<std::int64_t>(read));
            }};
  }

  const TinyKind kind_;
  llama_context* const context_;
  const llama_memory_t memory_;
  Prng prng_;
  bool pending_ = false;  // a decode has to carry out what was asked for
};

}  // namespace kvpsi::testing
