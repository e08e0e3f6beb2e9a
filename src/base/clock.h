// SPDX-License-Identifier: MIT
// The only place of the project that reads a clock. Everything else takes time as a parameter, so
// that the governor can be simulated and replayed.
#pragma once

#include <cstdint>

namespace kvpsi {

/// CLOCK_MONOTONIC in microseconds: the same for every process of the machine since boot, which
/// lets the bench line up the engine's and the neighbour's records. Any thread.
std::uint64_t monotonic_us();

/// Seconds since the epoch, for file names and reports only.
std::int64_t wall_seconds();

/// CPU time of the whole process (user + system) in microseconds.
std::uint64_t process_cpu_us();

/// CPU time of the calling thread in microseconds.
std::uint64_t thread_cpu_us();

}  // namespace kvpsi
