// SPDX-License-Identifier: MIT
// A long prompt that follows from a seed: plain sentences of common words, about 1.3 tokens a word
// with any tokenizer for English, so that no text has to be shipped. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace kvpsi {

/// Sentences of at least `least_words` words, paragraphs of five to nine sentences.
std::string make_prompt(std::uint64_t seed, std::size_t least_words);

}  // namespace kvpsi
