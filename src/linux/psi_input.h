// SPDX-License-Identifier: MIT
// PsiInput: one pressure source (own group, parent, system) with what keeps it alive: totals read
// from a descriptor of their own, triggers beside it, and the notice that it was lost. Which path
// it is, is decided by kernel_source. Next hop: psi_file.h, psi_trigger.h.
#pragma once

#include <poll.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/fixed_vector.h"
#include "base/result.h"
#include "linux/psi_file.h"
#include "linux/psi_trigger.h"
#include "model/sample.h"

namespace kvpsi {

/// The descriptors that a source waits on: 2 each for three inputs, the watch, the wake-up.
using PollSet = FixedVector<pollfd, 8>;

/// What people and doctor want to know about one input.
struct PsiInputFacts {
  std::string path;         ///< empty: there is none
  std::string granted;      ///< trigger windows in words; empty: polled or a stream
  std::string reason;       ///< why there is none, or why no (or no shorter) trigger
  bool is_present = false;  ///< totals can be read
  bool is_privileged = false;
  PsiFileKind kind = PsiFileKind::kernel;
};

/// Movable; not thread-safe. Allocates in open() only.
class PsiInput {
 public:
  /// Opens totals and, on a kernel file and if wanted, triggers. On an error the input is absent,
  /// and still lost if it was. Errors: those of PsiFile::open.
  Result<void> open(const std::string& path, bool use_triggers);

  /// Makes the input absent for the given reason.
  void set_absent(std::string reason);

  /// Totals now. A counter that runs backwards (another group under the same path) or a file that
  /// vanished gives nothing and marks the input lost; so does a stream whose peer is gone.
  std::optional<PsiTotals> sample(std::span<char> buffer);

  /// Appends what to wait on.
  void add_polls(PollSet& polls) const;

  /// Handles a descriptor's report if it is one of ours; true = look now.
  bool handle(const pollfd& polled);

  /// Set until the next open() or set_absent(): the path has to be found again.
  bool is_lost() const { return is_lost_; }
  bool is_present() const { return file_.has_value(); }
  const PsiInputFacts& facts() const { return facts_; }

 private:
  void lose(const char* reason);
  std::optional<PsiFile> file_;
  ArmedTriggers triggers_;
  std::optional<PsiTotals> last_;
  bool is_lost_ = false;
  PsiInputFacts facts_;
};

/// "PATH (some 100 ms and full 100 ms in 2 s: reason)".
std::string describe(const PsiInputFacts& facts);

}  // namespace kvpsi
