// SPDX-License-Identifier: MIT
// What `kvpsi explain --json` prints, schema kvpsi.explain/1: events, or one turn whole. Pure.
// Next hops: report/explain.h (the sentences), docs/journal-format.md (the schema).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "report/explain.h"

namespace kvpsi {

inline constexpr std::string_view kExplainSchema = "kvpsi.explain/1";

/// {schema, events: [{t_s, decision_id, level, reason, sentence}]}, without a line break.
std::string events_json(std::span<const Event> events);

/// {schema, turn: {t_s, decision_id, level, reason, because, dry_run, actions: [{verb, pool, bytes,
/// outcome}], config, tick}}, without a line break. `outcome` and `config` are null where the
/// journal holds none; `tick` and `config` are as in the journal.
std::string turn_json(std::span<const Tick> ticks, std::size_t turn, const PolicyConfig* config);

}  // namespace kvpsi
