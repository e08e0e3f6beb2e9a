// SPDX-License-Identifier: MIT
// Packs the cells of one cache whose rows are in memory to the front: whole pages come free behind
// them, and attention looks at fewer cells. A cell whose row lies in the file counts as a hole: it
// only changes its number. Engine's mutex held, no decode running, no row on its way to or from the
// file. Logits after it differ in summation order only. Next hop: kv_rows.h copies the rows.
#pragma once

#include <cstdint>

#include "llama/kv_part.h"
#include "llama/spilled_cells.h"

namespace kvpsi {

struct Compaction {
  std::uint64_t moved = 0;  ///< cells whose rows were copied
  bool is_complete = true;  ///< false: the time was over
  bool is_refused = false;  ///< a shift is pending, or a copy was not the original
};

/// `spilled` may be null. Every step leaves a valid cache: a row stays in its old cell until its
/// copy has been compared.
Compaction compact(KvPart& part, SpilledCells* spilled, std::uint64_t deadline_us);

/// Whether packing would shorten what attention looks at by this share or more.
bool has_holes(const KvPart& part, double share);

}  // namespace kvpsi
