// SPDX-License-Identifier: MIT
// Where a run of the engine stands, as it tells whoever waits for it: a file with one JSON line a
// phase. The benchmark lets its neighbour go when decoding is over. Pure. Next hops: run_trial
// reads the file, cli/cmd_run_phases writes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvpsi {

enum class RunPhase : std::uint8_t {
  load,
  prefill,
  decode,
  rest,  ///< the answers are there; waits until trimmed context is back, and for idle tenants
  then,  ///< later turns of conversations that were idle
  end,
};

constexpr std::string_view name(RunPhase phase) {
  switch (phase) {
    case RunPhase::load:
      return "load";
    case RunPhase::prefill:
      return "prefill";
    case RunPhase::decode:
      return "decode";
    case RunPhase::rest:
      return "rest";
    case RunPhase::then:
      return "then";
    case RunPhase::end:
      return "end";
  }
  return "unknown";
}

/// {"t_us":1,"phase":"rest"} and a line feed.
std::string format_phase(std::uint64_t t_us, RunPhase phase);

/// Whether a file's text, which may end in half a line, tells that `phase` has begun.
bool has_begun(std::string_view text, RunPhase phase);

}  // namespace kvpsi
