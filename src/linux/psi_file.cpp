// SPDX-License-Identifier: MIT
// See psi_file.h.
#include "linux/psi_file.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <array>
#include <cerrno>

#include "linux/psi_parse.h"

namespace kvpsi {
namespace {

std::unexpected<Error> fail_without_psi(const std::string& path) {
  return fail(ErrorCode::unsupported, "the kernel runs without PSI; boot it with psi=1", path,
              EOPNOTSUPP);
}

}  // namespace

bool is_kernel_pressure_fd(int fd) {
  struct statfs info{};
  if (::fstatfs(fd, &info) != 0) return false;
  return info.f_type == PROC_SUPER_MAGIC || info.f_type == CGROUP2_SUPER_MAGIC;
}

Result<PsiFile> PsiFile::open(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    return fail(error_code_of(errno), "no pressure file is here", path, errno);
  }
  if (S_ISFIFO(info.st_mode)) return open_stream(path, PsiFileKind::fifo);
  if (S_ISSOCK(info.st_mode)) return open_stream(path, PsiFileKind::socket);
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorCode::unsupported, "a pressure file must be a file, a FIFO or a socket", path);
  }
  PsiFile file;
  file.file_ = KernelFile(path);
  if (!file.file_.is_open()) {
    const int error = file.file_.open_errno();
    if (error == EOPNOTSUPP) return fail_without_psi(path);
    return fail(error_code_of(error), "cannot be opened", path, error);
  }
  const bool is_kernel = is_kernel_pressure_fd(file.file_.fd());
  file.kind_ = is_kernel ? PsiFileKind::kernel : PsiFileKind::regular;
  if (const auto checked = file.check_first_read(path); !checked) {
    return std::unexpected(checked.error());
  }
  return file;
}

Result<PsiFile> PsiFile::open_stream(const std::string& path, PsiFileKind kind) {
  PsiFile file;
  file.kind_ = kind;
  auto fd = kind == PsiFileKind::fifo ? open_fifo(path) : connect_unix(path);
  if (!fd) return std::unexpected(fd.error());
  file.stream_ = std::move(*fd);
  return file;
}

Result<void> PsiFile::check_first_read(const std::string& path) {
  std::array<char, 4096> buffer;
  const ReadText got = file_.read(buffer);
  if (got.errno_value == EOPNOTSUPP) return fail_without_psi(path);
  if (!got.ok())
    return fail(error_code_of(got.errno_value), "cannot be read", path, got.errno_value);
  if (const auto parsed = parse_psi_file(got.text); !parsed) {
    return fail(parsed.error().code, parsed.error().what, path);
  }
  return {};
}

std::optional<PsiTotals> PsiFile::read(std::span<char> buffer, int& errno_out) {
  errno_out = 0;
  if (stream_.is_open()) return totals_;
  const ReadText got = file_.read(buffer);
  if (!got.ok()) {
    errno_out = got.errno_value;
    return std::nullopt;
  }
  const auto parsed = scan_psi_file(got.text);
  if (!parsed) {
    errno_out = EBADMSG;
    return std::nullopt;
  }
  return PsiTotals{.some_us_total = parsed->some.total, .full_us_total = parsed->full.total};
}

DrainResult PsiFile::drain() {
  if (!stream_.is_open()) return {};
  return drain_stream(stream_.get(), [this](std::string_view bytes) {
    lines_.feed(bytes, [this](std::string_view line) {
      const auto named = parse_psi_line(line);
      if (!named) return;
      if (!totals_) totals_.emplace();
      (named->is_full ? totals_->full_us_total : totals_->some_us_total) = named->line.total;
    });
  });
}

}  // namespace kvpsi
