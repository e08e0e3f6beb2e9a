// SPDX-License-Identifier: MIT
// See sampler.h.
#include "llama/sampler.h"

#include <llama.h>

#include <limits>
#include <vector>

namespace kvpsi {
namespace {

/// Bias of minus infinity for every token that would end the generation.
llama_sampler* make_eos_ban(const llama_vocab* vocab) {
  const std::int32_t n_vocab = llama_vocab_n_tokens(vocab);
  std::vector<llama_logit_bias> banned;
  for (Token token = 0; token < n_vocab; ++token) {
    if (llama_vocab_is_eog(vocab, token)) {
      banned.push_back({token, -std::numeric_limits<float>::infinity()});
    }
  }
  return llama_sampler_init_logit_bias(n_vocab, static_cast<std::int32_t>(banned.size()),
                                       banned.data());
}

}  // namespace

void FreeSampler::operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }

SamplerPtr make_sampler(const llama_vocab* vocab, const GenerateOptions& options) {
  SamplerPtr chain(llama_sampler_chain_init(llama_sampler_chain_default_params()));
  if (options.ignore_eos) llama_sampler_chain_add(chain.get(), make_eos_ban(vocab));
  if (options.temperature <= 0) {
    llama_sampler_chain_add(chain.get(), llama_sampler_init_greedy());
    return chain;
  }
  llama_sampler_chain_add(chain.get(), llama_sampler_init_top_k(40));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_top_p(0.95F, 1));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_min_p(0.05F, 1));
  llama_sampler_chain_add(chain.get(),
                          llama_sampler_init_temp(static_cast<float>(options.temperature)));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_dist(options.seed));
  return chain;
}

}  // namespace kvpsi
