// SPDX-License-Identifier: MIT
// ScratchPool: the compute buffers of one context. Their content is worthless once a decode has
// returned and the engine is synchronised, so all their pages can go then, and only then: never
// between the graphs of one decode. CPU backends only. The output buffer (logits) is no compute
// buffer and is never touched. Next hop: buffer_registry.h says which buffers these are.
#pragma once

#include <cstdint>

#include "llama/counters.h"
#include "llama/elastic.h"
#include "llama/gated_pool.h"

namespace kvpsi {

class ScratchPool final : public GatedPool {
 public:
  /// `owner`: whose buffers (the llama_context). `may_release` false: only observed. `idle_us`:
  /// unused for this long it goes at rest too.
  ScratchPool(EngineGate& gate, const void* owner, bool may_release, std::uint64_t idle_us,
              Counters& counters)
      : GatedPool(PoolKind::scratch, gate),
        owner_(owner),
        may_release_(may_release),
        idle_us_(idle_us),
        counters_(counters) {}

  /// A decode of this many tokens has returned. Engine's mutex held.
  void on_decoded(std::uint64_t tokens);

  void measure(ContextMemory& out);

 protected:
  PoolView look() override;
  Outcome perform(const Action& action, Moment moment, const Outcome& so_far) override;
  bool is_allowed(Verb verb, Moment moment) const override;
  int refusal(Verb verb) const override;

 private:
  const void* const owner_;
  const bool may_release_;
  const std::uint64_t idle_us_;
  Counters& counters_;
  std::uint64_t resident_bytes_ = 0;       ///< as last measured
  std::uint64_t most_resident_bytes_ = 0;  ///< as ever measured
  std::uint64_t measured_us_ = 0;
  std::uint64_t used_us_ = 0;      ///< when a decode last returned
  std::uint64_t most_tokens_ = 0;  ///< longest batch since the last measurement
  std::uintptr_t resume_at_ = 0;
};

}  // namespace kvpsi
