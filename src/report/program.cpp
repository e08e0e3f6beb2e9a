// SPDX-License-Identifier: MIT
// posix_spawn with a folder, a pipe and a time limit; see program.h.
#include "report/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/clock.h"

extern char** environ;

namespace kvpsi {
namespace {

constexpr std::size_t kMostOutput = 64 * 1024;

/// Reads until the other side closes or `deadline_us` passes; false on the latter.
bool read_until_closed(int fd, std::uint64_t deadline_us, std::string& output) {
  char piece[4096];
  while (true) {
    const std::uint64_t now_us = monotonic_us();
    if (now_us >= deadline_us) return false;
    pollfd ready{fd, POLLIN, 0};
    const int wait_ms = static_cast<int>((deadline_us - now_us) / 1000) + 1;
    if (::poll(&ready, 1, wait_ms) < 0 && errno != EINTR) return true;
    if (ready.revents == 0) continue;
    const ssize_t n = ::read(fd, piece, sizeof piece);
    if (n == 0 || (n < 0 && errno != EINTR)) return true;
    if (n > 0 && output.size() < kMostOutput) output.append(piece, static_cast<std::size_t>(n));
  }
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Starts the child with stdout and stderr on `write_fd`; returns 0 or the errno.
int start(const std::string& program, const std::vector<std::string>& arguments,
          const std::string& folder, int write_fd, pid_t& child) {
  std::vector<std::string> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, write_fd, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, write_fd, STDERR_FILENO);
  if (!folder.empty()) ::posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  const int error = ::posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

std::optional<std::string> find_program(std::string_view name, std::string_view search_path) {
  while (!search_path.empty()) {
    const std::size_t colon = search_path.find(':');
    const std::string path = std::string(search_path.substr(0, colon)) + "/" + std::string(name);
    if (::access(path.c_str(), X_OK) == 0) return path;
    if (colon == std::string_view::npos) break;
    search_path.remove_prefix(colon + 1);
  }
  return std::nullopt;
}

Result<ProgramEnd> run_program(const std::string& program,
                               const std::vector<std::string>& arguments, const std::string& folder,
                               std::uint64_t timeout_us) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(ErrorCode::io, "cannot make a pipe", {}, errno);
  pid_t child = 0;
  const int error = start(program, arguments, folder, ends[1], child);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    return fail(ErrorCode::io, "cannot start the program", program, error);
  }
  ProgramEnd end;
  const bool closed = read_until_closed(ends[0], monotonic_us() + timeout_us, end.output);
  ::close(ends[0]);
  if (!closed) ::kill(child, SIGKILL);
  end.exit_code = wait_for(child);
  if (!closed) return fail(ErrorCode::exhausted, "took too long and was ended", program);
  return end;
}

}  // namespace kvpsi
