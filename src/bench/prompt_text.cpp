// SPDX-License-Identifier: MIT
// See prompt_text.h.
#include "bench/prompt_text.h"

#include <array>
#include <cctype>
#include <string_view>

#include "base/prng.h"

namespace kvpsi {
namespace {

using Words = std::array<std::string_view, 24>;

constexpr Words kAdjectives = {"old",   "quiet", "early",  "small", "green",  "heavy",
                               "long",  "clear", "common", "cold",  "bright", "narrow",
                               "steep", "empty", "broad",  "young", "plain",  "rough",
                               "warm",  "late",  "deep",   "pale",  "safe",   "strong"};
constexpr Words kNouns = {"river",  "market", "teacher", "garden", "harbour", "engine",
                          "letter", "winter", "village", "doctor", "bridge",  "forest",
                          "window", "farmer", "station", "island", "kitchen", "picture",
                          "road",   "sailor", "library", "valley", "machine", "weather"};
constexpr Words kVerbs = {"follows", "carries", "repairs", "watches", "measures", "remembers",
                          "opens",   "crosses", "answers", "builds",  "finds",    "keeps",
                          "sells",   "paints",  "leaves",  "visits",  "studies",  "explains",
                          "changes", "covers",  "needs",   "reaches", "shows",    "hides"};
constexpr Words kPlaces = {
    "near the lake",         "in the morning",     "after the rain",    "beside the wall",
    "before the summer",     "on the way home",    "under the roof",    "behind the school",
    "at the end of the day", "with great care",    "without a word",    "for many years",
    "across the field",      "along the coast",    "in the old town",   "during the night",
    "by the open door",      "for the third time", "between two hills", "on a wet Monday",
    "at the railway yard",   "in front of us",     "from time to time", "as far as we know"};
constexpr std::array<std::string_view, 4> kJoins = {"and", "while", "because", "but"};

template <class Array>
std::string_view pick(Prng& prng, const Array& words) {
  return words[prng.below(words.size())];
}

void add_clause(std::string& text, Prng& prng) {
  text += "the ";
  if (prng.below(2) == 0) (text += pick(prng, kAdjectives)) += ' ';
  ((text += pick(prng, kNouns)) += ' ') += pick(prng, kVerbs);
  text += " the ";
  if (prng.below(3) == 0) (text += pick(prng, kAdjectives)) += ' ';
  text += pick(prng, kNouns);
  if (prng.below(3) != 0) (text += ' ') += pick(prng, kPlaces);
}

std::string make_sentence(Prng& prng) {
  std::string text;
  add_clause(text, prng);
  if (prng.below(3) == 0) {
    ((text += ", ") += pick(prng, kJoins)) += ' ';
    add_clause(text, prng);
  }
  text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
  return text += '.';
}

std::size_t count_words(std::string_view text) {
  std::size_t words = 1;
  for (const char c : text) words += c == ' ' ? 1 : 0;
  return words;
}

}  // namespace

std::string make_prompt(std::uint64_t seed, std::size_t least_words) {
  Prng prng(seed);
  std::string text;
  std::size_t words = 0;
  std::uint64_t left = 5 + prng.below(5);
  while (words < least_words) {
    const std::string sentence = make_sentence(prng);
    words += count_words(sentence);
    text += sentence;
    text += --left == 0 ? "\n\n" : " ";
    if (left == 0) left = 5 + prng.below(5);
  }
  text.back() = '\n';
  return text;
}

}  // namespace kvpsi
