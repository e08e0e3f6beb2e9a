// SPDX-License-Identifier: MIT
// The chain of samplers of one generation. Next hop: engine_generate.
#pragma once

#include <memory>

#include "llama/engine.h"

struct llama_sampler;
struct llama_vocab;

namespace kvpsi {

struct FreeSampler {
  void operator()(llama_sampler* sampler) const;
};
using SamplerPtr = std::unique_ptr<llama_sampler, FreeSampler>;

/// Greedy for temperature 0, else top-k 40, top-p 0.95, min-p 0.05 (llama.cpp's defaults),
/// temperature, and a draw with the seed. ignore_eos bans every end-of-generation token.
SamplerPtr make_sampler(const llama_vocab* vocab, const GenerateOptions& options);

}  // namespace kvpsi
