// SPDX-License-Identifier: MIT
// Findings of the preflight: what the facts mean for a governed run, and for each what to do, as a
// command. Second of doctor's two passes. Pure; never blames the machine for what kvpsi makes up
// for: such findings say "nothing to fix here". Next hop: doctor_text shows them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/doctor_facts.h"

namespace kvpsi {

/// What a finding asks of the reader.
enum class Weight : std::uint8_t {
  good,     ///< as it should be
  note,     ///< worth knowing; nothing to fix here
  advice,   ///< works, and would work better with the fix
  missing,  ///< a governed run cannot do its work without the fix
};

constexpr std::string_view name(Weight weight) {
  switch (weight) {
    case Weight::good:
      return "good";
    case Weight::note:
      return "note";
    case Weight::advice:
      return "advice";
    case Weight::missing:
      return "missing";
  }
  return "unknown";
}

struct Finding {
  std::string id;  ///< stable word, for programs: "psi", "limit", "model", ...
  Weight weight = Weight::good;
  std::string what;  ///< one sentence with the numbers
  std::string fix;   ///< one line: a command for advice and missing; else empty

  bool operator==(const Finding&) const = default;
};

/// All findings, in the sequence in which a run depends on them.
std::vector<Finding> judge_machine(const DoctorFacts& facts);

/// The part about the model: readable, weights by kind, KV size, room. Empty without a model.
std::vector<Finding> judge_model(const DoctorFacts& facts);

/// True if nothing is missing.
bool can_govern(const std::vector<Finding>& findings);

}  // namespace kvpsi
