// SPDX-License-Identifier: MIT
// From names to laws; see laws.h.
#include "sim/laws.h"

#include "sim/rival_arc.h"
#include "sim/rival_avg10.h"
#include "sim/rival_cachelib.h"
#include "sim/rival_none.h"
#include "sim/rival_senpai.h"

namespace kvpsi {

Law make_law(LawKind kind) {
  switch (kind) {
    case LawKind::kvpsi:
      return &decide;
    case LawKind::avg10:
      return Avg10Law{};
    case LawKind::senpai:
      return SenpaiLaw{};
    case LawKind::arc:
      return ArcLaw{};
    case LawKind::cachelib:
      return CachelibLaw{};
    case LawKind::none:
      return NoneLaw{};
  }
  return NoneLaw{};
}

}  // namespace kvpsi
