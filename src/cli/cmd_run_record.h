// SPDX-License-Identifier: MIT
// Everything that one `kvpsi run` measured, as plain data. Next hop: cmd_run_summary makes the JSON
// and the words of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/tick_counter.h"
#include "linux/own_memory.h"
#include "llama/elastic.h"
#include "llama/engine.h"
#include "model/sample.h"

namespace kvpsi {

/// Stall totals of the own group at the three moments; all or none.
struct OwnPsi {
  PsiTotals prefill_start;
  PsiTotals decode_start;
  PsiTotals decode_end;
};

struct RunRecord {
  std::string model;
  std::uint64_t model_bytes = 0;
  std::uint32_t n_ctx = 0;
  std::uint32_t n_batch = 0;
  std::uint32_t threads = 0;
  std::uint32_t seed = 0;
  std::uint64_t start_us = 0;
  std::uint64_t loaded_us = 0;
  std::uint64_t load_cpu_us = 0;
  std::uint32_t parallel = 1;
  Generation generation;  ///< of several conversations their first turns together
  std::vector<ConversationOutcome>
      conversations;  ///< empty where there is one that is not told apart
  std::optional<OwnPsi> own_psi;
  ContextMemory at_decode_end;  ///< before the rest and all that comes later
  std::uint64_t rest_us = 0;    ///< from the last token to the later turns or the end
  ContextMemory context;        ///< at the end
  OwnMemory memory;
  std::uint64_t hwm_after_load_bytes = 0;
  WeightBytes weights;
  GovernorRecord governor;
  std::vector<std::string> ungoverned;
  SelfCheck self_check;
};

}  // namespace kvpsi
