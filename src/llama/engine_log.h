// SPDX-License-Identifier: MIT
// llama.cpp's log, kept off the terminal: its last error line is kept, since its functions only
// return null. Process-wide, as the log callback is.
#pragma once

#include <string>

namespace kvpsi {

/// Takes the log over. verbose: pass everything on to stderr as well.
void capture_llama_log(bool verbose);

/// The first error line since the last call of this function, without the function's name; empty
/// if there was none. Any thread.
std::string take_llama_error();

}  // namespace kvpsi
