// SPDX-License-Identifier: MIT
// PoolGroup: the pools of one kind as one pool, so that the governor's list stays the same while
// contexts come and go: a server that sleeps and wakes, a draft model beside the large one. Must
// not know what the pools are. Next hops: ports.h, llama/governed_contexts.h.
#pragma once

#include <cstddef>
#include <mutex>
#include <vector>

#include "govern/ports.h"

namespace kvpsi {

/// An action goes to all members, what each gives taken off what the next is asked for, and has one
/// outcome: the sum, once the last member has told its own. MemoryPool's calls are the governor
/// thread's; members are added and removed by any other, which waits for a call that runs.
class PoolGroup final : public MemoryPool {
 public:
  explicit PoolGroup(PoolKind kind) : kind_(kind) {}

  /// Not more than kMaxMembers; a pool above that is left alone and false returned.
  bool add(MemoryPool& pool);
  /// What the pool still owed is taken as nothing. Unknown pools are ignored.
  void remove(const MemoryPool& pool);

  PoolKind kind() const override { return kind_; }
  PoolView view() override;
  Outcome apply(const Action& action) override;
  void set_budget(std::optional<std::uint64_t> live_bytes_most) override;
  void drain(Outcomes& ended) override;

  static constexpr std::size_t kMaxMembers = 8;

 private:
  /// An action that members have queued.
  struct Open {
    Outcome sum;
    FixedVector<const MemoryPool*, kMaxMembers> waits_for;

    bool operator==(const Open&) const = default;
  };

  void settle(const MemoryPool& from, const Outcome& outcome);
  void close_ended();

  const PoolKind kind_;
  std::mutex mutex_;
  std::vector<MemoryPool*> members_;
  FixedVector<Open, 8> open_;
  Outcomes ended_;  ///< of actions that were open
};

}  // namespace kvpsi
