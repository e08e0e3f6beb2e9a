// SPDX-License-Identifier: MIT
// Remembers of saved states which of their rows were evaluated while tokens before them were
// missing: llama.cpp saves rows, not how they came to be. In memory by address, in a file by a mark
// on the file itself, which stays there when somebody else writes a new state into it: that costs
// an evaluation, no truth. With the engine's mutex held. Next hop: kv_pool_host.cpp asks.
#pragma once

#include <cstdint>
#include <limits>
#include <map>

#include "llama.h"

namespace kvpsi {

/// Where a sequence's state lies; neither: nowhere that is remembered.
struct StatePlace {
  const void* memory = nullptr;
  const char* path = nullptr;
};

/// No row was.
inline constexpr llama_pos kUntainted = std::numeric_limits<llama_pos>::max();

class SavedTaint {
 public:
  /// The state at `place` has just been saved; its rows from position `tainted` on are.
  void note(const StatePlace& place, llama_pos tainted);
  /// The first such position of the state there.
  llama_pos find(const StatePlace& place) const;

 private:
  /// Also of files on file systems that keep no marks; those are forgotten with the process.
  std::map<std::uint64_t, llama_pos> by_place_;
};

}  // namespace kvpsi
