// SPDX-License-Identifier: MIT
// The program's entry. Everything is in kvpsi_cli so that tests can call it; commands.cpp lists the
// subcommands.
#include "cli/command.h"

int main(int argc, char** argv) { return kvpsi::run_command_line(argc, argv); }
