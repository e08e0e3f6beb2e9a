// SPDX-License-Identifier: MIT
// The rival `none`: never does anything, as fixed llama.cpp. Remembers nothing. What any law must
// beat to be worth running. Next hop: sim/laws.h.
#pragma once

#include "sim/rival_common.h"

namespace kvpsi {

struct NoneLaw {
  Decided operator()(const PolicyState& state, const Observation& /*observation*/,
                     const PolicyConfig& /*config*/) const {
    return begin_rival(state, 1'000'000);
  }
};

}  // namespace kvpsi
