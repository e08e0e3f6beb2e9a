// SPDX-License-Identifier: MIT
// One `kvpsi run` from load to summary: makes the parts, holds them in the order in which they may
// end, and measures at the moments that the summary names. Next hops: llama/engine.h,
// governor_thread.h, cmd_run_summary.h.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/cmd_run_options.h"
#include "cli/cmd_run_phases.h"
#include "cli/cmd_run_psi.h"
#include "cli/cmd_run_record.h"
#include "cli/cmd_run_screen.h"
#include "cli/cmd_run_signals.h"
#include "cli/governor_thread.h"
#include "cli/status_answer.h"
#include "cli/status_socket.h"

namespace kvpsi {

/// Main thread only. The parts are declared in the order of their making: what stands lower ends
/// first.
class RunSession {
 public:
  /// All three outlive the session.
  RunSession(const RunOptions& options, RunScreen& screen, RunSignals& signals)
      : options_(options), screen_(screen), signals_(signals), psi_(options.psi_own) {}

  /// Loads, generates, measures. Errors: of every part, each naming what and where.
  Result<RunRecord> run();

 private:
  Result<void> open_spill_file();
  Result<void> load();
  Result<void> make_conversations();
  Result<void> attach();
  void start_governor();
  void start_status_server();
  void print_banner();
  Result<void> generate();
  void rest();
  bool is_rest_over(std::uint64_t waited_us);
  void follow_generation(GenerateOptions& generate);
  void show_conversation(std::size_t index, const ConversationOutcome& outcome);
  void stop_governor();
  void finish();
  StatusFacts facts() const;

  const RunOptions& options_;
  RunScreen& screen_;
  RunSignals& signals_;
  OwnPsiReader psi_;
  PhaseLog phases_;
  RunRecord record_;
  std::vector<Conversation> conversations_;
  OpenedSpill spill_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<GovernedContext> governed_;
  std::unique_ptr<GovernorThread> governor_;
  std::unique_ptr<StatusServer> status_;
};

}  // namespace kvpsi
