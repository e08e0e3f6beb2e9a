// SPDX-License-Identifier: MIT
// How much memory a neighbour wants at a given time. Pure functions of the spec; what it really
// gets is the memory model's business. Next hop: memory_model.h.
#pragma once

#include <cstdint>

#include "sim/scenario.h"

namespace kvpsi {

/// Bytes wanted at scenario time t_s; 0 outside of [start_s, end_s). For `foreign` it is what its
/// own limit lets it have.
std::uint64_t find_demand(const NeighbourSpec& neighbour, double t_s);

}  // namespace kvpsi
