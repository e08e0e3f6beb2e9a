// SPDX-License-Identifier: MIT
// How many cells of a cache one sequence has. Only with the engine's mutex held, or with nobody
// else about. Next hop: elastic.h (the guarded way in).
#pragma once

#include <cstdint>

#include "llama.h"

namespace kvpsi {

/// Live cells of the sequence, in the whole cache of a sliding-window model; for memory of another
/// kind the span of its positions.
std::uint64_t count_sequence_cells(llama_memory_t memory, llama_seq_id sequence);

}  // namespace kvpsi
