// SPDX-License-Identifier: MIT
// Who is told when the host saves the state of a sequence to memory and loads it from there: saved
// states may lie on disk meanwhile. Next hops: wraps_state.cpp tells, server_prompt_cache.h
// listens.
#pragma once

#include <cstddef>
#include <span>

namespace kvpsi {

class StateObserver {
 public:
  virtual ~StateObserver() = default;
  /// The memory has been filled with a state.
  virtual void has_filled(std::span<const std::byte> memory) = 0;
  /// It is about to be read. False: what it held is lost, and loading it fails.
  virtual bool will_read(std::span<const std::byte> memory) = 0;
};

/// One for the process; null: nobody. Set before the first context is made.
void set_state_observer(StateObserver* observer);

}  // namespace kvpsi
