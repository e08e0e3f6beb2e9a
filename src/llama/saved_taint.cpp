// SPDX-License-Identifier: MIT
// See saved_taint.h.
#include "llama/saved_taint.h"

#include <algorithm>

#include "linux/file_note.h"

namespace kvpsi {

Result<void> SavedTaint::note(const StatePlace& place, llama_pos tainted) {
  const bool is_tainted = tainted != kUntainted;
  // Written from its beginning, a file has lost what was noted of the state before.
  if (place.path != nullptr && is_tainted) return append_file_note(place.path, tainted);
  if (place.memory == nullptr) return {};
  if (is_tainted) {
    in_memory_[place.memory] = tainted;
  } else {
    in_memory_.erase(place.memory);
  }
  return {};
}

llama_pos SavedTaint::find(const StatePlace& place) const {
  if (place.path != nullptr) {
    const auto noted = read_file_note(place.path);
    return noted ? static_cast<llama_pos>(std::clamp<std::int64_t>(*noted, 0, kUntainted))
                 : kUntainted;
  }
  const auto found = in_memory_.find(place.memory);
  return found != in_memory_.end() ? found->second : kUntainted;
}

}  // namespace kvpsi
