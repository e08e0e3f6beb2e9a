// SPDX-License-Identifier: MIT
// The MEMORY_PRESSURE_WATCH / MEMORY_PRESSURE_WRITE protocol by which a service manager hands a
// service its pressure source (systemd, docs/PRESSURE.md). Here it is one more wake-up: how bad it
// is, is still measured from PSI totals. The values are parameters; nothing here decides to read
// the environment by itself. Next hop: kernel_source polls it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "linux/fd.h"
#include "linux/stream.h"

namespace kvpsi {

/// A checked request to watch.
struct PressureWatchSpec {
  std::string path;             ///< absolute and normal; a kernel pressure file, a FIFO or a socket
  std::string write_data = {};  ///< decoded; written once after opening; may be empty
};

/// Checks the two values of the protocol; an unset variable is an empty string.
/// Nothing for an empty path or "/dev/null", which mean "do not watch".
/// Errors: invalid_argument for a path that is relative or holds "//", "." or ".."; malformed for
/// data that is not base64 (RFC 4648 with padding) or decodes to more than 4,096 bytes.
Result<std::optional<PressureWatchSpec>> parse_pressure_watch(std::string_view path,
                                                              std::string_view write_base64);

/// The two variables as they are in the environment; empty where unset. Not thread-safe against
/// setenv.
struct PressureWatchEnvironment {
  std::string watch;
  std::string write;
};
PressureWatchEnvironment read_pressure_watch_environment();

/// Decodes base64 with its padding; blanks and line feeds are refused. Errors: malformed.
Result<std::string> decode_base64(std::string_view text);

/// An open watch. Movable; not thread-safe; never allocates after open.
class PressureWatch {
 public:
  /// Opens the path and writes the data, byte for byte. A kernel file without data gets the trigger
  /// that sd-event sets by itself, since it reports nothing without one. Errors: not_found,
  /// permission, io; invalid_argument where the kernel refuses the data; unsupported for a regular
  /// file that is not on procfs or cgroup2, or for another kind.
  static Result<PressureWatch> open(const PressureWatchSpec& spec);

  int fd() const { return fd_.get(); }
  /// POLLPRI for a kernel file, POLLIN for a stream.
  short poll_events() const;
  /// Handles what poll reported. A kernel file is never read; a stream is drained. What we have
  /// written into a FIFO ourselves and read back is no data.
  DrainResult handle(short revents);

 private:
  UniqueFd fd_;
  bool is_stream_ = false;
  std::string echo_;  ///< what a FIFO may still give back to us; empty once something was read
};

}  // namespace kvpsi
