// SPDX-License-Identifier: MIT
// `kvpsi serve`: becomes kvpsi-server, which lies beside this program where it was built. All words
// are its. Next hop: main_server.cpp.
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "cli/command.h"
#include "cli/exit_code.h"

namespace kvpsi {

int run_serve(const std::vector<std::string>& words) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    print_error("serve", "cannot find this program's own place: " + error.message());
    return kExitMachine;
  }
  const std::string server = self.parent_path() / "kvpsi-server";
  std::vector<std::string> all{server};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> argv;
  for (std::string& word : all) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(server.c_str(), argv.data());
  if (errno == ENOENT) {
    print_error("serve", fmt::format("{} is not there: the server is built only when asked for; "
                                     "run `make serve` or scripts/build.sh server (8 minutes on 2 "
                                     "cores), then build/server/bin/kvpsi serve",
                                     server));
  } else {
    print_error("serve", fmt::format("cannot start {}: {}", server, std::strerror(errno)));
  }
  return kExitMachine;
}

}  // namespace kvpsi
