// SPDX-License-Identifier: MIT
// The stall counters of the own group, read at moments of the run for its summary. The governor
// reads its own; this one must work with the governor off too. Next hop: linux/psi_parse.
#pragma once

#include <optional>
#include <string>

#include "linux/kernel_file.h"
#include "model/sample.h"

namespace kvpsi {

/// Main thread only.
class OwnPsiReader {
 public:
  /// `path`: the pressure file to use; empty: that of the own cgroup v2 group, if it has one below
  /// the root. A FIFO or socket cannot be read for counters and gives nothing.
  explicit OwnPsiReader(const std::string& path);

  /// The counters now, or nothing where there are none.
  std::optional<PsiTotals> read() const;

 private:
  KernelFile file_;
};

}  // namespace kvpsi
