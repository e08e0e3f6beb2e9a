// SPDX-License-Identifier: MIT
// Any bytes: what must hold is in linux_targets.h.
#include <cstddef>
#include <cstdint>

#include "linux_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kvpsi::fuzz::try_mountinfo({reinterpret_cast<const char*>(data), size});
  return 0;
}
