// SPDX-License-Identifier: MIT
// Where llama-server calls into its prompt cache, and where states are saved and loaded. The
// symbols are those of the Itanium ABI: `this` is the first argument. Next hop:
// server_prompt_cache.h.
#include <cstdint>
#include <type_traits>

#include "llama/host_sequences.h"
#include "llama/server_prompt_cache.h"
#include "server-task.h"

using kvpsi::prompt_cache_pool;

namespace {

using Cache = server_prompt_cache;

static_assert(
    std::is_same_v<decltype(&Cache::alloc),
                   server_prompt_cache_state* (Cache::*)(const server_prompt&, size_t, size_t)>);
static_assert(std::is_same_v<decltype(&Cache::load),
                             bool (Cache::*)(server_prompt&, const server_tokens&, llama_context*,
                                             llama_context*, std::int32_t)>);
static_assert(std::is_same_v<decltype(&Cache::update), void (Cache::*)()>);

/// Around one call of the server into its cache.
class Call {
 public:
  Call(Cache* cache, bool loads) : pool_(prompt_cache_pool()) {
    if (pool_ != nullptr) pool_->begin_call(cache, loads);
  }
  ~Call() {
    if (pool_ != nullptr) pool_->end_call(filling_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  void note_filling(server_prompt_cache_state* state) { filling_ = state; }

 private:
  kvpsi::PromptCachePool* const pool_;
  server_prompt_cache_state* filling_ = nullptr;
};

}  // namespace

extern "C" {

server_prompt_cache_state* __real__ZN19server_prompt_cache5allocERK13server_promptmm(
    Cache* self, const server_prompt& prompt, size_t main_bytes, size_t draft_bytes);
server_prompt_cache_state* __wrap__ZN19server_prompt_cache5allocERK13server_promptmm(
    Cache* self, const server_prompt& prompt, size_t main_bytes, size_t draft_bytes) {
  Call call(self, false);
  server_prompt_cache_state* const state =
      __real__ZN19server_prompt_cache5allocERK13server_promptmm(self, prompt, main_bytes,
                                                                draft_bytes);
  call.note_filling(state);
  return state;
}

bool __real__ZN19server_prompt_cache4loadER13server_promptRK13server_tokensP13llama_contextS6_i(
    Cache* self, server_prompt& prompt, const server_tokens& tokens, llama_context* target,
    llama_context* draft, std::int32_t slot);
bool __wrap__ZN19server_prompt_cache4loadER13server_promptRK13server_tokensP13llama_contextS6_i(
    Cache* self, server_prompt& prompt, const server_tokens& tokens, llama_context* target,
    llama_context* draft, std::int32_t slot) {
  const Call call(self, true);
  const bool is_whole =
      __real__ZN19server_prompt_cache4loadER13server_promptRK13server_tokensP13llama_contextS6_i(
          self, prompt, tokens, target, draft, slot);
  // A saved state has rows without their tokens; the prompt beside it knows them.
  if (is_whole && !prompt.tokens.has_mtmd) {
    kvpsi::know_tokens(target, slot, prompt.tokens.get_tokens());
    kvpsi::know_tokens(draft, slot, prompt.tokens.get_tokens());
  }
  return is_whole;
}

void __real__ZN19server_prompt_cache6updateEv(Cache* self);
void __wrap__ZN19server_prompt_cache6updateEv(Cache* self) {
  const Call call(self, false);
  __real__ZN19server_prompt_cache6updateEv(self);
}

}  // extern "C"
