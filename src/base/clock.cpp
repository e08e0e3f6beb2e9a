// SPDX-License-Identifier: MIT
// Clock reads by clock_gettime; see clock.h.
#include "base/clock.h"

#include <ctime>

namespace kvpsi {
namespace {

std::uint64_t read_us(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

}  // namespace

std::uint64_t monotonic_us() { return read_us(CLOCK_MONOTONIC); }
std::int64_t wall_seconds() {
  return static_cast<std::int64_t>(read_us(CLOCK_REALTIME) / 1'000'000);
}
std::uint64_t process_cpu_us() { return read_us(CLOCK_PROCESS_CPUTIME_ID); }
std::uint64_t thread_cpu_us() { return read_us(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace kvpsi
