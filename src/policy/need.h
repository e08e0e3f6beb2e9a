// SPDX-License-Identifier: MIT
// How many bytes the situation asks for, by measurement: the missing headroom, projected over the
// time a step takes; own stall adds a small term for what headroom cannot see. Pure.
// Next hop: policy/ladder.h.
#pragma once

#include <cstdint>

#include "model/signal.h"
#include "policy/config.h"

namespace kvpsi {

/// The need in bytes; 0 while headroom is above its lower reserve and our own group does not stall.
/// `settled`: a whole fast window has passed since the last step, so the stall share is that of the
/// situation after it. A larger deficit or share never gives a smaller need.
std::uint64_t measure_need(const Signal& signal, std::uint64_t kv_resident_bytes, bool settled,
                           const PolicyConfig& config);

}  // namespace kvpsi
