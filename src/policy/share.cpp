// SPDX-License-Identifier: MIT
// See share.h.
#include "policy/share.h"

#include <algorithm>

#include "policy/arith.h"

namespace kvpsi {

std::uint64_t find_peers_bytes(Scope scope, const Sample& sample) {
  switch (scope) {
    case Scope::group:
      return sample.group_peers_anon_bytes.value_or(0);
    case Scope::system:
      return sample.peers_anon_bytes.value_or(0);
    case Scope::none:
      return 0;
  }
  return 0;
}

std::uint64_t share_need(std::uint64_t need_bytes, std::uint64_t peers_bytes,
                         std::uint64_t own_bytes, const PolicyState& state,
                         const PoolViews& pools) {
  if (peers_bytes == 0 || need_bytes == 0) return need_bytes;
  const double own = static_cast<double>(own_bytes);
  double share = own / (own + static_cast<double>(peers_bytes));
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(state.effective_steps, 64); ++i) {
    share *= 2;
  }
  if (!(share < 1)) return need_bytes;
  const PoolView* kv = find_pool(pools, PoolKind::kv);
  const std::uint64_t least = kv == nullptr ? 1 : std::max<std::uint64_t>(kv->granule_bytes, 1);
  return std::min(need_bytes, std::max(share_of(need_bytes, share), least));
}

}  // namespace kvpsi
