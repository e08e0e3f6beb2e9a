// SPDX-License-Identifier: MIT
// The wraps around what changes or reads cells outside a decode: doorbells before and after. The
// rules are in kv_pool_gap.cpp; here is only who is told what. Next hop: wraps.h.
#include <cstddef>
#include <cstdint>

#include "llama/wraps.h"

namespace {

using kvpsi::count_call;
using kvpsi::KvPool;
using kvpsi::ring;
using kvpsi::Wrap;

KVPSI_SAME_SHAPE(llama_memory_clear);
KVPSI_SAME_SHAPE(llama_memory_seq_rm);
KVPSI_SAME_SHAPE(llama_memory_seq_cp);
KVPSI_SAME_SHAPE(llama_memory_seq_keep);
KVPSI_SAME_SHAPE(llama_memory_seq_add);
KVPSI_SAME_SHAPE(llama_memory_seq_div);

}  // namespace

extern "C" {

void __wrap_llama_memory_clear(llama_memory_t memory, bool data) {
  count_call(Wrap::llama_memory_clear);
  ring(
      kvpsi::find_attached(memory), [](KvPool& kv) { kv.before_change(-1); },
      [&] { __real_llama_memory_clear(memory, data); },
      [data](KvPool& kv) { kv.after_clear(data); });
}

bool __wrap_llama_memory_seq_rm(llama_memory_t memory, llama_seq_id seq, llama_pos p0,
                                llama_pos p1) {
  count_call(Wrap::llama_memory_seq_rm);
  return ring(
      kvpsi::find_attached(memory), [seq](KvPool& kv) { kv.before_seq_rm(seq); },
      [&] { return __real_llama_memory_seq_rm(memory, seq, p0, p1); },
      [=](KvPool& kv, bool done) {
        if (done) kv.after_seq_rm(seq, p0, p1);
      });
}

void __wrap_llama_memory_seq_cp(llama_memory_t memory, llama_seq_id from, llama_seq_id to,
                                llama_pos p0, llama_pos p1) {
  count_call(Wrap::llama_memory_seq_cp);
  ring(
      kvpsi::find_attached(memory), [=](KvPool& kv) { kv.before_seq_cp(from, to); },
      [&] { __real_llama_memory_seq_cp(memory, from, to, p0, p1); },
      [=](KvPool& kv) { kv.after_seq_cp(from, to, p0, p1); });
}

void __wrap_llama_memory_seq_keep(llama_memory_t memory, llama_seq_id seq) {
  count_call(Wrap::llama_memory_seq_keep);
  ring(
      kvpsi::find_attached(memory), [](KvPool& kv) { kv.before_change(-1); },
      [&] { __real_llama_memory_seq_keep(memory, seq); },
      [=](KvPool& kv) { kv.after_seq_keep(seq); });
}

void __wrap_llama_memory_seq_add(llama_memory_t memory, llama_seq_id seq, llama_pos p0,
                                 llama_pos p1, llama_pos delta) {
  count_call(Wrap::llama_memory_seq_add);
  ring(
      kvpsi::find_attached(memory), [=](KvPool& kv) { kv.before_shift(seq); },
      [&] { __real_llama_memory_seq_add(memory, seq, p0, p1, delta); },
      [](KvPool& kv) { kv.after_shift(); });
}

void __wrap_llama_memory_seq_div(llama_memory_t memory, llama_seq_id seq, llama_pos p0,
                                 llama_pos p1, int d) {
  count_call(Wrap::llama_memory_seq_div);
  ring(
      kvpsi::find_attached(memory), [=](KvPool& kv) { kv.before_shift(seq); },
      [&] { __real_llama_memory_seq_div(memory, seq, p0, p1, d); },
      [](KvPool& kv) { kv.after_shift(); });
}

}  // extern "C"
