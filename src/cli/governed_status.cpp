// SPDX-License-Identifier: MIT
// See governed_status.h.
#include "cli/governed_status.h"

#include "cli/status_request.h"

namespace kvpsi {

std::string answer_status_request(std::string_view line, const StatusFacts& facts,
                                  GovernorThread& governor) {
  const auto request = parse_status_request(line);
  if (!request) return make_error_answer(request.error());
  if (!request->sets_soft_max) return make_status_answer(facts, governor.last_tick());
  if (!governor.is_enabled()) {
    return make_error_answer(Error{ErrorCode::invalid_argument, "its governor is off", {}, 0});
  }
  const auto before = governor.governor()->soft_max();
  governor.governor()->set_soft_max(request->soft_max_bytes);
  return make_control_answer(facts, before, governor.governor()->soft_max(),
                             governor.governor()->last_tick());
}

}  // namespace kvpsi
