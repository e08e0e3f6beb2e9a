// SPDX-License-Identifier: MIT
// See output_file.h.
#include "cli/output_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace kvpsi {
namespace {

/// Absolute, without "..", links of the existing part followed.
std::filesystem::path resolve(const std::string& path) {
  std::error_code failed;
  const auto absolute = std::filesystem::absolute(path, failed);
  if (failed) return path;
  const auto whole = std::filesystem::weakly_canonical(absolute, failed);
  return failed ? absolute.lexically_normal() : whole;
}

/// The errno that writing would meet; 0: none that is known.
int find_obstacle(const std::string& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) == 0) {
    if (S_ISDIR(facts.st_mode)) return EISDIR;
    return ::access(path.c_str(), W_OK) == 0 ? 0 : errno;
  }
  if (errno != ENOENT) return errno;
  if (path.ends_with('/')) return EISDIR;
  const std::string folder = resolve(path).parent_path().string();
  if (::stat(folder.c_str(), &facts) != 0) return errno;
  if (!S_ISDIR(facts.st_mode)) return ENOTDIR;
  return ::access(folder.c_str(), W_OK | X_OK) == 0 ? 0 : errno;
}

ErrorCode code_of(int reason) {
  if (reason == EISDIR) return ErrorCode::invalid_argument;
  if (reason == ENOENT || reason == ENOTDIR) return ErrorCode::not_found;
  const bool is_refused = reason == EACCES || reason == EPERM || reason == EROFS;
  return is_refused ? ErrorCode::permission : ErrorCode::io;
}

}  // namespace

bool is_same_file(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return false;
  struct stat of_a{};
  struct stat of_b{};
  if (::stat(a.c_str(), &of_a) == 0 && ::stat(b.c_str(), &of_b) == 0) {
    return of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
  }
  return resolve(a) == resolve(b);
}

Result<void> check_output_file(const std::string& path, const std::string& what) {
  const int obstacle = find_obstacle(path);
  if (obstacle != 0) return fail(code_of(obstacle), what, path, obstacle);
  return {};
}

}  // namespace kvpsi
