// SPDX-License-Identifier: MIT
// PoolView: what one memory pool holds and could give, as the engine last published it. Numbers
// only; asking a pool to act is the business of govern/ports.h. Next hop: the ladder in policy/.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "base/fixed_vector.h"
#include "model/field.h"

namespace kvpsi {

/// The kinds of memory that can be given back. One pool of each kind a process.
enum class PoolKind : std::uint8_t { kv, scratch, heap, prompt_cache };

constexpr std::string_view name(PoolKind kind) {
  switch (kind) {
    case PoolKind::kv:
      return "kv";
    case PoolKind::scratch:
      return "scratch";
    case PoolKind::heap:
      return "heap";
    case PoolKind::prompt_cache:
      return "prompt_cache";
  }
  return "unknown";
}

/// The state of one pool. All sizes in bytes. `resident` and `releasable` are arithmetic between
/// measurements and are corrected by page map after each action.
struct PoolView {
  PoolKind kind = PoolKind::kv;
  std::uint64_t t_us = 0;               ///< when the engine published it
  std::uint64_t reserved_bytes = 0;     ///< address space
  std::uint64_t live_bytes = 0;         ///< holds data that is needed, in memory
  std::uint64_t resident_bytes = 0;     ///< in memory
  std::uint64_t releasable_bytes = 0;   ///< resident, not live: back without loss (rung 0)
  std::uint64_t spillable_bytes = 0;    ///< live but idle: back by writing it to disk
  std::uint64_t trimmable_bytes = 0;    ///< live, may be taken out of the context under --trim
  std::uint64_t compactable_bytes = 0;  ///< live and free share pages: back by packing what lives
  /// Of spillable, or of releasable where nothing is spilled: unused for so long that it goes at
  /// rest too.
  std::uint64_t idle_bytes = 0;
  std::uint64_t spilled_bytes = 0;  ///< on disk, not in memory: what a restore would bring back
  std::uint64_t parked_bytes = 0;   ///< on disk besides: comes back when it is used, not before
  std::uint64_t trimmed_bytes = 0;  ///< of these, out of a running context until they are back
  /// The least that lets work go on which the budget holds back. The rows of a sequence that it
  /// waits with are not spillable: it would only wait for more.
  std::uint64_t waiting_bytes = 0;
  std::uint64_t surge_bytes = 0;     ///< the most it may take in one call, before anybody can look
  std::uint64_t cells_total = 0;     ///< KV only
  std::uint64_t cells_live = 0;      ///< KV only; with those whose rows are on disk
  std::uint64_t bytes_per_cell = 0;  ///< KV only: one token over all layers, K and V
  std::uint64_t granule_bytes = 0;   ///< the least that can come back: one page a tensor

  bool operator==(const PoolView&) const = default;
};

/// Room for one view of each pool kind, and some.
using PoolViews = FixedVector<PoolView, 6>;

/// The view of that kind, or nullptr. Points into `views`.
inline const PoolView* find_pool(const PoolViews& views, PoolKind kind) {
  for (const PoolView& view : views) {
    if (view.kind == kind) return &view;
  }
  return nullptr;
}

/// The field table of PoolView; see sample.h for the contract.
template <class Visitor, class V>
void visit_fields(Visitor&& visit, V& v)
  requires std::is_same_v<std::remove_const_t<V>, PoolView>
{
  visit(Field{"kind", "name", "which pool"}, v.kind);
  visit(Field{"t_us", "us", "when the pool published this view"}, v.t_us);
  visit(Field{"reserved_bytes", "bytes", "address space"}, v.reserved_bytes);
  visit(Field{"live_bytes", "bytes", "holds data that is needed"}, v.live_bytes);
  visit(Field{"resident_bytes", "bytes", "in memory"}, v.resident_bytes);
  visit(Field{"releasable_bytes", "bytes", "in memory without need"}, v.releasable_bytes);
  visit(Field{"spillable_bytes", "bytes", "idle, could go to disk"}, v.spillable_bytes);
  visit(Field{"trimmable_bytes", "bytes", "could be taken out of the context"}, v.trimmable_bytes);
  visit(Field{"compactable_bytes", "bytes", "could come back by packing cells"},
        v.compactable_bytes);
  visit(Field{"idle_bytes", "bytes", "of these, unused for long: goes without pressure too"},
        v.idle_bytes);
  visit(Field{"spilled_bytes", "bytes", "on disk, not in memory"}, v.spilled_bytes);
  visit(Field{"parked_bytes", "bytes", "on disk besides, until it is used"}, v.parked_bytes);
  visit(Field{"trimmed_bytes", "bytes", "of these, out of a running context"}, v.trimmed_bytes);
  visit(Field{"waiting_bytes", "bytes", "wanted by work that the budget holds back"},
        v.waiting_bytes);
  visit(Field{"surge_bytes", "bytes", "the most it may take at once"}, v.surge_bytes);
  visit(Field{"cells_total", "1", "KV cells"}, v.cells_total);
  visit(Field{"cells_live", "1", "KV cells that hold a token"}, v.cells_live);
  visit(Field{"bytes_per_cell", "bytes", "one token over all layers"}, v.bytes_per_cell);
  visit(Field{"granule_bytes", "bytes", "least that can come back at once"}, v.granule_bytes);
}

}  // namespace kvpsi
