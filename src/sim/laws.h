// SPDX-License-Identifier: MIT
// The laws that a simulated run can be governed by: ours and those it is compared with. The one
// list of them. A rival remembers what it needs in itself, never in PolicyState. Must not be used
// to govern anything real. Next hops: rival_*.h, docs/scenarios.md ("The laws compared").
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "govern/governor.h"

namespace kvpsi {

enum class LawKind : std::uint8_t { kvpsi, avg10, senpai, arc, cachelib, none };

constexpr std::string_view name(LawKind law) {
  switch (law) {
    case LawKind::kvpsi:
      return "kvpsi";
    case LawKind::avg10:
      return "avg10";
    case LawKind::senpai:
      return "senpai";
    case LawKind::arc:
      return "arc";
    case LawKind::cachelib:
      return "cachelib";
    case LawKind::none:
      return "none";
  }
  return "unknown";
}

/// Ours first, then what it is compared with.
inline constexpr std::array kLaws{LawKind::kvpsi, LawKind::avg10,    LawKind::senpai,
                                  LawKind::arc,   LawKind::cachelib, LawKind::none};

/// A fresh law, which remembers nothing of other runs.
Law make_law(LawKind kind);

}  // namespace kvpsi
