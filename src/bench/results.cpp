// SPDX-License-Identifier: MIT
// Reading and writing of results files; the JSON itself is in results_json.cpp. See results.h.
#include "bench/results.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace kvpsi {
namespace {

Result<void> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail(ErrorCode::io, "cannot write the results", path, errno);
    }
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

Result<void> write_whole(std::string_view text, const std::string& path) {
  const std::string temporary = path + ".tmp" + std::to_string(::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return fail(ErrorCode::io, "cannot create the results file", temporary, errno);
  auto written = write_all(fd, text, temporary);
  // Without fsync a crash of the machine may leave the new name on empty content.
  if (written && ::fsync(fd) != 0 && errno != EINVAL) {
    written = fail(ErrorCode::io, "cannot flush the results", temporary, errno);
  }
  ::close(fd);
  if (written && std::rename(temporary.c_str(), path.c_str()) != 0) {
    written = fail(ErrorCode::io, "cannot move the results into place", path, errno);
  }
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Result<void> write_results(const BenchResults& results, const std::string& path) {
  return write_whole(to_json(results), path);
}

Result<BenchResults> read_results(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::not_found, "cannot open the results file", path, errno);
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) return fail(ErrorCode::io, "cannot read the results file", path);
  return parse_results(text.str(), path);
}

}  // namespace kvpsi
