// SPDX-License-Identifier: MIT
// Whether a file holds all of the state that it announces. llama.cpp reads over the end of one that
// was cut (a full disk, a copy that broke off), notices afterwards and aborts the process. Must not
// judge anything else of the file: llama.cpp does. Next hop: wraps_state.cpp asks before each load.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace kvpsi {

/// One llama_kv_cache, as far as the length of its part of a state depends on it.
struct StatePart {
  std::uint64_t tensors = 0;  ///< K and V over all layers
  /// Rows of the same tensors. V that is transposed is not counted: its tensors can be larger than
  /// what of them is saved.
  std::uint64_t bytes_per_cell = 0;
};

/// True where the file of one sequence's state (llama_state_seq_save_file) ends before the last row
/// that its numbers tell of and `parts` count. False for what is no such file or cannot be read.
/// `parts` in the order of the state: the whole cache, then that of a sliding window. Any thread.
bool is_cut_short(const std::string& path, std::span<const StatePart> parts);

}  // namespace kvpsi
