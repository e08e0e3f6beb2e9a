// SPDX-License-Identifier: MIT
// See saved_taint.h.
#include "llama/saved_taint.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/hash.h"
#include "linux/file_mark.h"

namespace kvpsi {

namespace {

constexpr const char* kMark = "kvpsi.evaluated_without_context_from";

bool is_somewhere(const StatePlace& place) {
  return place.memory != nullptr || place.path != nullptr;
}

std::uint64_t key_of(const StatePlace& place) {
  if (place.path == nullptr) return reinterpret_cast<std::uintptr_t>(place.memory);
  Hash64 hash;
  hash.add(std::string_view(place.path));
  return hash.value();
}

}  // namespace

void SavedTaint::note(const StatePlace& place, llama_pos tainted) {
  if (!is_somewhere(place)) return;
  by_place_.erase(key_of(place));
  const bool is_tainted = tainted != kUntainted;
  if (place.path != nullptr) {
    const auto value = is_tainted ? std::optional<std::int64_t>(tainted) : std::nullopt;
    if (set_file_mark(place.path, kMark, value)) return;
  }
  if (is_tainted) by_place_[key_of(place)] = tainted;
}

llama_pos SavedTaint::find(const StatePlace& place) const {
  if (!is_somewhere(place)) return kUntainted;
  if (place.path != nullptr) {
    const auto marked = read_file_mark(place.path, kMark);
    // Whoever may write the file may write the mark, too.
    if (marked) return static_cast<llama_pos>(std::clamp<std::int64_t>(*marked, 0, kUntainted));
  }
  const auto found = by_place_.find(key_of(place));
  return found != by_place_.end() ? found->second : kUntainted;
}

}  // namespace kvpsi
