// SPDX-License-Identifier: MIT
// The program's entry. Everything is in kvpsi_cli so that tests can call it; commands.cpp lists the
// subcommands. Last net: output that cannot be written is an error, never a silent success.
#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "cli/command.h"
#include "cli/exit_code.h"

namespace {

/// Flushes stdout: a full disk shows only here.
int close_output(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  if (code != kvpsi::kExitDone) return code;
  kvpsi::print_error("", std::string("cannot write the output: ") + std::strerror(errno));
  return kvpsi::kExitMachine;
}

/// Keeps a journal or a model from being opened as descriptor 1 where the caller closed it: text
/// would be written into it. Open for reading only, so that writing still fails.
void reserve_standard_descriptors() {
  for (const int fd : {0, 1, 2}) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDONLY) < 0) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  reserve_standard_descriptors();
  try {
    return close_output(kvpsi::run_command_line(argc, argv));
  } catch (const std::exception& error) {
    // fmt throws where a write fails half-way; out of memory ends here too.
    kvpsi::print_error("", error.what());
    return kvpsi::kExitMachine;
  }
}
