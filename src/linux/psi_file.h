// SPDX-License-Identifier: MIT
// PsiFile: where PSI totals come from. A kernel file is read again from offset 0 (the kernel sums
// up freshly at each read); a FIFO or an AF_UNIX stream socket in its place delivers lines. Must
// not know which group the file belongs to. Next hop: psi_input.h adds triggers and recovery.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "linux/fd.h"
#include "linux/kernel_file.h"
#include "linux/stream.h"
#include "model/sample.h"

namespace kvpsi {

/// What a path turned out to be.
enum class PsiFileKind : std::uint8_t {
  kernel,   ///< on procfs or cgroup2: triggers are possible
  regular,  ///< a plain file, as in fixtures: polled, never written to
  fifo,
  socket,
};

/// One source of totals. Movable; not thread-safe; never allocates after open.
class PsiFile {
 public:
  /// Opens the path as what it is, and reads a file once to know that it works.
  /// Errors: not_found, permission, malformed (text that is not PSI), io; unsupported for a kernel
  /// that runs with psi=0 (reading says EOPNOTSUPP), a directory or a device.
  static Result<PsiFile> open(const std::string& path);

  PsiFileKind kind() const { return kind_; }

  /// Totals now; of a stream the last ones delivered, empty before its first line. errno_out is
  /// set where a file could not be read (ENODEV: the group is gone; EBADMSG: not PSI text).
  std::optional<PsiTotals> read(std::span<char> buffer, int& errno_out);

  /// The descriptor to poll for POLLIN, or -1 for a file.
  int stream_fd() const { return stream_.get(); }

  /// Takes what a stream holds: each line that parses as PSI text sets its total and leaves the
  /// other as it was; other lines only wake. A lost stream keeps its last totals.
  DrainResult drain();

 private:
  PsiFile() = default;
  static Result<PsiFile> open_stream(const std::string& path, PsiFileKind kind);
  Result<void> check_first_read(const std::string& path);

  PsiFileKind kind_ = PsiFileKind::regular;
  KernelFile file_;
  UniqueFd stream_;
  LineAssembler lines_;
  std::optional<PsiTotals> totals_;
};

/// True where the open file lies on procfs or cgroup2, the only places with kernel PSI files.
bool is_kernel_pressure_fd(int fd);

}  // namespace kvpsi
