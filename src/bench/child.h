// SPDX-License-Identifier: MIT
// A process that the bench starts: in its groups before it executes anything, killed when the bench
// dies, in a process group of its own so that a Ctrl-C on the terminal reaches the bench alone.
// Output goes to files, which need nobody to drain them. Next hop: run_trial.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace kvpsi {

struct ChildOptions {
  std::string executable = "/proc/self/exe";
  std::vector<std::string> arguments;   ///< without argv[0], which is always "kvpsi"
  std::vector<std::string> join_files;  ///< cgroup.procs files to enter
  std::string stdout_path;              ///< created or emptied
  std::string stderr_path;
};

/// How a child ended.
struct ChildExit {
  int code = 0;    ///< exit code, where signal is 0
  int signal = 0;  ///< that killed it

  bool is_ok() const { return code == 0 && signal == 0; }
  /// "ok", "exit 3", "signal 9".
  std::string describe() const;
};

/// One running child. Movable; killed and reaped on destruction. Not thread-safe; the death signal
/// follows the thread that called start(), so that has to live as long as the bench.
class Child {
 public:
  /// The child's environment is ours without KVPSI_ variables (KVPSI_CACHE stays): they would set
  /// options behind the bench's back. Errors: io, permission, not_found, saying which step failed.
  static Result<Child> start(const ChildOptions& options);

  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }

  /// Reaps it if it has ended; empty while it runs.
  std::optional<ChildExit> poll();

  void send(int signal);

  /// Sends `signal`, waits up to `patience_ms`, then kills. Returns how it ended.
  ChildExit stop(int signal, unsigned patience_ms);

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_;
  std::optional<ChildExit> exit_;
};

/// Sleeps; woken early by a signal.
void sleep_ms(unsigned ms);

}  // namespace kvpsi
