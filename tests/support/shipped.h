// SPDX-License-Identifier: MIT
// A scenario that is part of the program, by its name.
#pragma once

#include <gtest/gtest.h>

#include <string_view>

#include "sim/scenario.h"

namespace kvpsi::test {

inline Scenario load_shipped(std::string_view wanted) {
  for (const ShippedScenario& shipped : shipped_scenarios()) {
    if (shipped.name == wanted) return parse_scenario(shipped.text, shipped.name).value();
  }
  ADD_FAILURE() << "no scenario " << wanted;
  return {};
}

}  // namespace kvpsi::test
