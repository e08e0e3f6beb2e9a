// SPDX-License-Identifier: MIT
// See neighbour.h.
#include "bench/neighbour.h"

#include <fmt/format.h>
#include <signal.h>

#include <fstream>

namespace kvpsi {

std::string first_line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

Result<Neighbour> Neighbour::start(const TrialHost& host, const PressSpec& spec,
                                   const std::vector<std::string>& join_files, double for_s,
                                   const std::string& stem) {
  const std::string base = host.out_dir + "/neighbour-" + stem;
  ChildOptions options;
  options.executable = host.executable;
  options.arguments = press_words(spec, for_s, host.out_dir, base + ".rounds");
  options.join_files = join_files;
  options.stdout_path = base + ".json";
  options.stderr_path = base + ".log";
  auto child = Child::start(options);
  if (!child) return std::unexpected(child.error());
  return Neighbour(std::move(*child), base);
}

Result<void> Neighbour::wait_ready(const TrialHost& host) {
  constexpr unsigned kMostMs = 60'000;
  for (unsigned waited = 0; waited < kMostMs; waited += 20) {
    if (host.stop()) return fail(ErrorCode::cancelled, "stopped");
    if (first_line_of(stem_ + ".json").find("\"ready\"") != std::string::npos) return {};
    if (const auto ended = child_.poll()) {
      return fail(ended->code == 3 ? ErrorCode::unsupported : ErrorCode::invalid_argument,
                  fmt::format("the neighbour did not start ({}): {}", ended->describe(),
                              first_line_of(stem_ + ".log")));
    }
    sleep_ms(20);
  }
  return fail(ErrorCode::busy, "the neighbour has not got its memory within 60 s");
}

Result<std::vector<Round>> Neighbour::stop() {
  constexpr unsigned kPatienceMs = 10'000;
  const auto ended = child_.stop(SIGTERM, kPatienceMs);
  if (!ended.is_ok()) return std::vector<Round>();
  return read_rounds(stem_ + ".rounds");
}

}  // namespace kvpsi
