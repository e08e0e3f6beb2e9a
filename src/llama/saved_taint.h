// SPDX-License-Identifier: MIT
// Remembers of saved states which of their rows were evaluated while tokens before them were
// missing: llama.cpp saves rows, not how they came to be. Of states in memory by address, in a file
// behind the state, where llama.cpp does not read. With the engine's mutex held. Next hop:
// kv_pool_host.cpp asks.
#pragma once

#include <limits>
#include <map>

#include "base/result.h"
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
  /// A state has just been saved there; its rows from position `tainted` on are. Error: io, the
  /// file will be taken for one without.
  Result<void> note(const StatePlace& place, llama_pos tainted);
  /// The first such position of the state there.
  llama_pos find(const StatePlace& place) const;

 private:
  std::map<const void*, llama_pos> in_memory_;
};

}  // namespace kvpsi
