// SPDX-License-Identifier: MIT
// The model's weights by the kind of memory they lie in: what can be dropped and read again, what
// only swap could take, what is elsewhere.
#pragma once

#include "llama/elastic.h"

namespace kvpsi {

/// Sums the tensors of a loaded model. Any thread.
WeightBytes read_weights(const llama_model& model);

}  // namespace kvpsi
