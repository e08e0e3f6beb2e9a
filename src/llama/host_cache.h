// SPDX-License-Identifier: MIT
// HostCache: memory that the host keeps for itself beside its contexts, governed as a pool of its
// own. Known to commands that are linked without the host. Next hop: server_prompt_cache.h.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "govern/ports.h"

namespace kvpsi {

class HostCache : public MemoryPool {
 public:
  /// The host may free it: nothing of it is moved until the host uses it again. Any thread.
  virtual void stand_back() = 0;
  /// What was lost since the last call, a clause each. Any thread.
  virtual std::vector<std::string> take_losses() = 0;
};

/// Makes the one of this host. The store may be null; `after_us` is how long something lies unused
/// before it goes there without pressure, UINT64_MAX: it does not.
using MakeHostCache =
    std::function<std::unique_ptr<HostCache>(SpillStore* store, std::uint64_t after_us)>;

}  // namespace kvpsi
