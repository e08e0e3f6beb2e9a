// SPDX-License-Identifier: MIT
// The list of subcommands. One line each; see command.h.
#include <array>

#include "cli/command.h"

namespace kvpsi {
namespace {

#if KVPSI_LLAMA
#define KVPSI_WITH_ENGINE(add) add
#else
#define KVPSI_WITH_ENGINE(add) nullptr
#endif

constexpr std::string_view kNoEngine =
    "this build has no llama.cpp: configure it with -DKVPSI_LLAMA=ON and build again";

constexpr auto kCommands = std::to_array<Command>({
    {"doctor", "look at this machine and say what would help, as commands", add_doctor},
    {"run", "generate text with memory governed by pressure", KVPSI_WITH_ENGINE(add_run),
     kNoEngine},
    {"serve", "llama-server with memory governed by pressure", nullptr, kNoEngine,
     KVPSI_WITH_ENGINE(run_serve)},
    {"status", "show what holds memory in a governed run", add_status},
    {"explain", "say in sentences why a recorded run acted or did not", add_explain},
    {"bench", "run the pressure benchmark", KVPSI_WITH_ENGINE(add_bench), kNoEngine},
    {"simulate", "try the control law on synthetic machines, or replay a journal", add_simulate},
    {"press", "hold memory and use it, as the neighbour of a squeeze does", add_press},
    {"requantize", "write a copy of a model in another type", KVPSI_WITH_ENGINE(add_requantize),
     kNoEngine},
});

}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace kvpsi
