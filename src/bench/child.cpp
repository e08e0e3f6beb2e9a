// SPDX-License-Identifier: MIT
// fork, join groups, exec; see child.h. posix_spawn cannot do it: nothing in it enters a group.
// Between fork and exec only async-signal-safe calls are made, so that it works in a process with
// threads too.
#include "bench/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <string_view>
#include <utility>

#include "linux/fd.h"
#include "linux/kernel_file.h"

namespace kvpsi {
namespace {

/// What the child reports through the pipe when it cannot become the program.
struct StartFailure {
  int step = 0;  ///< 0 = parent died, 1 = join, 2 = stdout, 3 = stderr, 4 = exec
  int index = 0;
  int errno_value = 0;
};

/// Everything the child needs, prepared before fork.
struct Prepared {
  std::vector<UniqueFd> joins;
  UniqueFd out;
  UniqueFd err;
  std::vector<char*> argv;
  std::vector<char*> envp;
  const char* executable = nullptr;
  pid_t parent = 0;
  int report = -1;
};

[[noreturn]] void give_up(const Prepared& prepared, StartFailure failure) {
  failure.errno_value = errno;
  [[maybe_unused]] const auto n = ::write(prepared.report, &failure, sizeof failure);
  ::_exit(127);
}

[[noreturn]] void become_program(const Prepared& prepared) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  errno = 0;
  if (::getppid() != prepared.parent) give_up(prepared, {});  // it died before the prctl
  for (std::size_t i = 0; i < prepared.joins.size(); ++i) {
    if (::write(prepared.joins[i].get(), "0", 1) != 1) {
      give_up(prepared, {1, static_cast<int>(i), 0});
    }
  }
  if (::dup2(prepared.out.get(), STDOUT_FILENO) < 0) give_up(prepared, {2, 0, 0});
  if (::dup2(prepared.err.get(), STDERR_FILENO) < 0) give_up(prepared, {3, 0, 0});
  struct sigaction plain{};
  plain.sa_handler = SIG_DFL;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::sigaction(signal, &plain, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(prepared.executable, prepared.argv.data(), prepared.envp.data());
  give_up(prepared, {4, 0, 0});
}

Result<UniqueFd> open_output(const std::string& path) {
  UniqueFd file(::open(path.empty() ? "/dev/null" : path.c_str(),
                       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.is_open()) return fail(ErrorCode::io, "cannot create", path, errno);
  return file;
}

Result<void> open_files(const ChildOptions& options, Prepared& prepared) {
  for (const auto& path : options.join_files) {
    UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.is_open()) {
      return fail(error_code_of(errno), "cannot open the control group", path, errno);
    }
    prepared.joins.push_back(std::move(file));
  }
  auto out = open_output(options.stdout_path);
  if (!out) return std::unexpected(out.error());
  auto err = open_output(options.stderr_path);
  if (!err) return std::unexpected(err.error());
  prepared.out = std::move(*out);
  prepared.err = std::move(*err);
  return {};
}

void prepare_words(const ChildOptions& options, Prepared& prepared) {
  static constexpr std::string_view kCache = "KVPSI_CACHE=";
  prepared.argv.push_back(const_cast<char*>("kvpsi"));
  for (const auto& word : options.arguments)
    prepared.argv.push_back(const_cast<char*>(word.c_str()));
  prepared.argv.push_back(nullptr);
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (!text.starts_with("KVPSI_") || text.starts_with(kCache)) prepared.envp.push_back(*variable);
  }
  prepared.envp.push_back(nullptr);
  prepared.executable = options.executable.c_str();
  prepared.parent = ::getpid();
}

std::unexpected<Error> explain(const StartFailure& failure, const ChildOptions& options) {
  switch (failure.step) {
    case 1:
      return fail(error_code_of(failure.errno_value), "cannot enter the control group",
                  options.join_files[static_cast<std::size_t>(failure.index)], failure.errno_value);
    case 4:
      return fail(error_code_of(failure.errno_value), "cannot execute", options.executable,
                  failure.errno_value);
    default:
      return fail(ErrorCode::io, "cannot set up a child process", {}, failure.errno_value);
  }
}

ChildExit decode_status(int status) {
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

}  // namespace

void sleep_ms(unsigned ms) {
  const timespec rest{ms / 1000, static_cast<long>(ms % 1000) * 1'000'000};
  ::nanosleep(&rest, nullptr);
}

std::string ChildExit::describe() const {
  if (signal != 0) return fmt::format("signal {}", signal);
  return code == 0 ? "ok" : fmt::format("exit {}", code);
}

Result<Child> Child::start(const ChildOptions& options) {
  Prepared prepared;
  if (auto opened = open_files(options, prepared); !opened) return std::unexpected(opened.error());
  prepare_words(options, prepared);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(ErrorCode::io, "cannot make a pipe", {}, errno);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  prepared.report = write_end.get();
  const pid_t pid = ::fork();
  if (pid < 0) return fail(ErrorCode::exhausted, "cannot fork", {}, errno);
  if (pid == 0) become_program(prepared);
  write_end.reset();
  StartFailure failure;
  ssize_t n = 0;
  do {  // ends with 0 bytes once exec has closed the pipe
    n = ::read(read_end.get(), &failure, sizeof failure);
  } while (n < 0 && errno == EINTR);
  if (n == 0) return Child(pid);
  ::waitpid(pid, nullptr, 0);
  return explain(failure, options);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), exit_(std::move(other.exit_)) {}

Child::~Child() {
  if (pid_ > 0) static_cast<void>(stop(SIGKILL, 0));
}

std::optional<ChildExit> Child::poll() {
  if (exit_) return exit_;
  int status = 0;
  const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
  if (reaped == pid_) exit_ = decode_status(status);
  if (reaped < 0 && errno == ECHILD) exit_ = ChildExit{0, SIGKILL};
  return exit_;
}

void Child::send(int signal) {
  if (!exit_) ::kill(pid_, signal);
}

ChildExit Child::stop(int signal, unsigned patience_ms) {
  send(signal);
  for (unsigned waited = 0; waited < patience_ms; waited += 10) {
    if (const auto ended = poll()) return *ended;
    sleep_ms(10);
  }
  send(SIGKILL);
  while (!poll()) sleep_ms(2);
  return *exit_;
}

}  // namespace kvpsi
