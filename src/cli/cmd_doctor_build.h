// SPDX-License-Identifier: MIT
// How this program was built: what a bug report has to say. Facts of compile time only.
#pragma once

#include <string>

namespace kvpsi {

/// "name  value" lines: version, engine, compiler, options, libraries.
std::string build_text();

/// The same as one JSON object, schema `kvpsi.build/1`.
std::string build_json();

}  // namespace kvpsi
