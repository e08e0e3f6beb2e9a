// SPDX-License-Identifier: MIT
// Several governed processes under one shortage: each gives its share of the need, in proportion to
// the anonymous memory that it holds, so that together they give it once and not each the whole.
// Pure; nobody talks to anybody. Next hop: policy/decide.cpp; the peers come from linux/peers.h.
#pragma once

#include <cstdint>

#include "model/pool_view.h"
#include "model/sample.h"
#include "policy/state.h"

namespace kvpsi {

/// What the peers hold that feel the same shortage: those in the group whose limit is the tightest,
/// or those of the machine. 0 where there are none, or nobody can tell.
std::uint64_t find_peers_bytes(Scope scope, const Sample& sample);

/// The part of `need_bytes` that is ours: own / (own + peers) of it, at least one granule, never
/// more than the need. It doubles with each effective step that left the need in place: then the
/// others have nothing to give, and after a few steps all of the need is ours. Without peers it is
/// the need.
std::uint64_t share_need(std::uint64_t need_bytes, std::uint64_t peers_bytes,
                         std::uint64_t own_bytes, const PolicyState& state, const PoolViews& pools);

}  // namespace kvpsi
