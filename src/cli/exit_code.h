// SPDX-License-Identifier: MIT
// The exit codes of every subcommand and how an Error maps to one. Pure; prints nothing.
// Next hop: command.cpp (the frame), cmd_*.cpp.
#pragma once

#include "base/result.h"

namespace kvpsi {

inline constexpr int kExitDone = 0;           ///< it was done
inline constexpr int kExitNotHeld = 1;        ///< it ran, and the thing checked does not hold
inline constexpr int kExitUsage = 2;          ///< the caller's words or files are off
inline constexpr int kExitMachine = 3;        ///< the machine lacks something; the line says what
inline constexpr int kExitInterrupted = 130;  ///< a second Ctrl-C: ended without a summary

/// The exit code for an error that ends a command: what the caller can mend is 2, the rest 3.
constexpr int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::not_found:
    case ErrorCode::malformed:
      return kExitUsage;
    case ErrorCode::cancelled:
      return kExitNotHeld;
    case ErrorCode::permission:
    case ErrorCode::unsupported:
    case ErrorCode::io:
    case ErrorCode::exhausted:
    case ErrorCode::busy:
      return kExitMachine;
  }
  return kExitMachine;
}

}  // namespace kvpsi
