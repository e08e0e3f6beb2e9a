// SPDX-License-Identifier: MIT
// The demand curve of each kind of neighbour, at its edges and between.
#include "sim/demand.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace kvpsi {
namespace {

NeighbourSpec make(NeighbourKind kind, double period_s = 0) {
  NeighbourSpec spec;
  spec.kind = kind;
  spec.bytes = 100 * kMiB;
  spec.start_s = 10;
  spec.end_s = 50;
  spec.period_s = period_s;
  return spec;
}

struct DemandCase {
  NeighbourKind kind;
  double period_s;
  double t_s;
  double mib;
};

TEST(DemandTest, curves) {
  const DemandCase cases[] = {
      {NeighbourKind::step, 0, 9.99, 0},       {NeighbourKind::step, 0, 10, 100},
      {NeighbourKind::step, 0, 49.99, 100},    {NeighbourKind::step, 0, 50, 0},
      {NeighbourKind::ramp, 20, 10, 0},        {NeighbourKind::ramp, 20, 20, 50},
      {NeighbourKind::ramp, 20, 30, 100},      {NeighbourKind::ramp, 20, 45, 100},
      {NeighbourKind::sawtooth, 8, 10, 0},     {NeighbourKind::sawtooth, 8, 14, 50},
      {NeighbourKind::sawtooth, 8, 17.92, 99}, {NeighbourKind::sawtooth, 8, 18, 0},
      {NeighbourKind::sawtooth, 8, 22, 50},    {NeighbourKind::leak, 10, 20, 100},
      {NeighbourKind::leak, 10, 45, 350},      {NeighbourKind::flap, 4, 11.9, 100},
      {NeighbourKind::flap, 4, 12.1, 0},       {NeighbourKind::flap, 4, 14.1, 100},
  };
  for (const DemandCase& c : cases) {
    EXPECT_NEAR(to_mib(find_demand(make(c.kind, c.period_s), c.t_s)), c.mib, 0.01)
        << name(c.kind) << " at " << c.t_s;
  }
}

TEST(DemandTest, foreign_gets_what_its_limit_allows) {
  NeighbourSpec spec = make(NeighbourKind::foreign);
  spec.own_limit_bytes = 30 * kMiB;
  EXPECT_EQ(find_demand(spec, 20), 30 * kMiB);
}

TEST(DemandTest, trace_is_level_outside_and_straight_between_its_points) {
  NeighbourSpec spec = make(NeighbourKind::trace);
  spec.trace = {{2, 10 * kMiB}, {4, 30 * kMiB}, {5, 0}};
  EXPECT_EQ(find_demand(spec, 10), 10 * kMiB);
  EXPECT_EQ(find_demand(spec, 13), 20 * kMiB);
  EXPECT_EQ(find_demand(spec, 14.5), 15 * kMiB);
  EXPECT_EQ(find_demand(spec, 40), 0U);
  spec.trace.clear();
  EXPECT_EQ(find_demand(spec, 20), 0U);
}

}  // namespace
}  // namespace kvpsi
