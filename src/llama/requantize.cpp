// SPDX-License-Identifier: MIT
// requantize_model of elastic.h, over llama_model_quantize.
#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "llama.h"
#include "llama/elastic.h"

namespace kvpsi {

namespace {

constexpr std::array<std::pair<std::string_view, llama_ftype>, 8> kTypes = {{
    {"f16", LLAMA_FTYPE_MOSTLY_F16},
    {"q4_0", LLAMA_FTYPE_MOSTLY_Q4_0},
    {"q4_1", LLAMA_FTYPE_MOSTLY_Q4_1},
    {"q5_0", LLAMA_FTYPE_MOSTLY_Q5_0},
    {"q5_1", LLAMA_FTYPE_MOSTLY_Q5_1},
    {"q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},
    {"q4_k_m", LLAMA_FTYPE_MOSTLY_Q4_K_M},
    {"iq4_nl", LLAMA_FTYPE_MOSTLY_IQ4_NL},
}};

}  // namespace

Result<void> requantize_model(const std::string& in, const std::string& out,
                              std::string_view type) {
  const auto found = std::ranges::find(kTypes, type, &decltype(kTypes)::value_type::first);
  if (found == kTypes.end()) {
    return fail(ErrorCode::invalid_argument, "unknown type '" + std::string(type) +
                                                 "': use f16, q4_0, q4_1, q5_0, q5_1, q8_0, "
                                                 "q4_k_m or iq4_nl");
  }
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = found->second;
  params.allow_requantize = true;
  params.nthread = 1;
  if (llama_model_quantize(in.c_str(), out.c_str(), &params) != 0) {
    return fail(ErrorCode::io, "llama.cpp cannot quantize it to " + std::string(type), in);
  }
  return {};
}

}  // namespace kvpsi
