// SPDX-License-Identifier: MIT
// What the summary of a run says of each of several conversations (docs/json-output.md), and of
// those that ended early. Pure. Next hop: cmd_run_summary.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "cli/cmd_run_record.h"

namespace kvpsi {

/// The list `conversations` of the summary.
nlohmann::ordered_json conversations_json(const RunRecord& record);

/// Time between tokens in milliseconds: of each conversation's own tokens where there are several,
/// as between those of two there is next to none.
std::vector<double> first_turn_latencies_ms(const RunRecord& record);

/// p50, p99 and max.
nlohmann::ordered_json latency_json(const std::vector<double>& latencies_ms);

/// "conversations 2, 5", by number, of those whose first or second turn ended for that reason;
/// empty for none.
std::string name_those_ended_by(std::span<const ConversationOutcome> conversations,
                                StopReason reason);

/// "conversation 2 lost 40 tokens of its context for good", a line for each that lost any.
std::vector<std::string> name_losses(std::span<const ConversationOutcome> conversations);

}  // namespace kvpsi
