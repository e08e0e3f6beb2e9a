// SPDX-License-Identifier: MIT
// Result<T>: a value or one Error that a person can act on. Every fallible call of the library
// returns it; exceptions never cross a folder border. Must stay free of I/O and of allocation on
// the success path. Next hop: everything.
#pragma once

#include <cstdint>
#include <cstring>
#include <expected>
#include <string>
#include <utility>

namespace kvpsi {

/// What kind of thing went wrong; decides the exit code of the command line (see cli/exit_code.h).
enum class ErrorCode : std::uint8_t {
  invalid_argument,  ///< the caller's words are off: exit code 2
  not_found,         ///< a file, group or process is absent
  permission,        ///< present, but not ours to use
  unsupported,       ///< this kernel or machine cannot do it: exit code 3
  malformed,         ///< content that does not parse
  io,                ///< read, write or system call failed
  exhausted,         ///< no space, memory or budget left
  busy,              ///< try again later
  cancelled,         ///< a signal or a stop request ended it
};

/// One failure: what happened, where, and the errno if the kernel said so (0 otherwise).
struct Error {
  ErrorCode code = ErrorCode::io;
  std::string what;  ///< a full clause, with what to do where that is known
  std::string path;  ///< the file, group or option concerned; may be empty
  int errno_value = 0;

  bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;

/// Makes the unexpected half of a Result.
inline std::unexpected<Error> fail(ErrorCode code, std::string what, std::string path = {},
                                   int errno_value = 0) {
  return std::unexpected<Error>(Error{code, std::move(what), std::move(path), errno_value});
}

/// One line: "PATH: what (errno text)".
inline std::string describe(const Error& error) {
  std::string line = error.path.empty() ? error.what : error.path + ": " + error.what;
  if (error.errno_value != 0) line += std::string(" (") + std::strerror(error.errno_value) + ")";
  return line;
}

}  // namespace kvpsi
