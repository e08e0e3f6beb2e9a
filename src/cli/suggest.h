// SPDX-License-Identifier: MIT
// "Did you mean": the known word nearest to a mistyped one. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace kvpsi {

/// The word of `known` with the least edit distance to `typed`, or empty if none is near (more
/// than a third of the letters differ). Ties: the first.
std::string nearest_word(std::string_view typed, std::span<const std::string> known);

}  // namespace kvpsi
