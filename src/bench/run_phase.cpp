// SPDX-License-Identifier: MIT
// See run_phase.h.
#include "bench/run_phase.h"

#include <fmt/format.h>

namespace kvpsi {

std::string format_phase(std::uint64_t t_us, RunPhase phase) {
  return fmt::format("{{\"t_us\":{},\"phase\":\"{}\"}}\n", t_us, name(phase));
}

bool has_begun(std::string_view text, RunPhase phase) {
  return text.find(fmt::format("\"phase\":\"{}\"}}\n", name(phase))) != std::string_view::npos;
}

}  // namespace kvpsi
