// SPDX-License-Identifier: MIT
// How much llama-server may keep in its prompt cache when nobody has said (--cache-ram): its own
// default of 8 GiB is more than many a machine has. Pure. Next hop: cli/cmd_serve_session.h.
#pragma once

#include <cstdint>

#include "model/sample.h"

namespace kvpsi {

/// llama-server's own default, MiB.
inline constexpr std::uint64_t kServerCacheMib = 8192;

/// MiB. With a spill file the cache lies there: half of its room. Without one, a sixteenth of the
/// memory of the machine or of the tightest limit, at least 16 MiB. Never over the server's own
/// default, and that where nothing is known.
std::uint64_t choose_prompt_cache_mib(std::uint64_t spill_room_bytes, const Sample& machine);

}  // namespace kvpsi
