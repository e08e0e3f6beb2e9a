// SPDX-License-Identifier: MIT
// Which scenarios and laws `kvpsi simulate` was asked for: shipped ones by name, or a file. A
// mistyped name is answered with the nearest one. Next hop: sim/scenario.h.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "sim/run.h"
#include "sim/scenario.h"

namespace kvpsi {

/// "all", a shipped name, or the path of a file. Errors: not_found (with what may have been meant),
/// those of read_named_file and parse_scenario, with the path.
Result<std::vector<Scenario>> load_scenarios(const std::string& wanted);

/// Whether the program holds a scenario of this name; a file of the same name is then not read.
bool is_shipped_scenario(const std::string& wanted);

/// "all" or the name of one law; empty where there is none of that name.
std::vector<LawKind> find_laws(const std::string& wanted);

/// Why `wanted` is no law, or empty where it is one: names all, and the nearest one.
std::string refuse_law(const std::string& wanted);

}  // namespace kvpsi
