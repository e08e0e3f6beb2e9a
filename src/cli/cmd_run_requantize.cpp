// SPDX-License-Identifier: MIT
// `kvpsi requantize IN OUT --type q4_0`: a copy of a model in another type, to measure models whose
// weights llama.cpp repacks into anonymous memory. Next hop: llama/elastic.h.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/gguf_file.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "llama/elastic.h"
#include "llama/engine_log.h"

namespace kvpsi {
namespace {

struct RequantizeOptions {
  std::string in;
  std::string out;
  std::string type = "q4_0";
};

/// Under another name first, so that nobody finds half a model.
Result<void> requantize(const RequantizeOptions& options) {
  if (const auto model = read_gguf_file(options.in); !model) {
    return std::unexpected(model.error());
  }
  const std::string temporary = options.out + ".tmp" + std::to_string(::getpid());
  auto done = requantize_model(options.in, temporary, options.type);
  if (done && std::rename(temporary.c_str(), options.out.c_str()) != 0) {
    done = fail(ErrorCode::io, "cannot move the model into place", options.out, errno);
  }
  if (!done) ::unlink(temporary.c_str());
  return done;
}

int run_requantize(const RequantizeOptions& options, const CommonOptions& common) {
  capture_llama_log(false);
  if (auto done = requantize(options); !done) {
    Error error = done.error();
    if (const std::string words = take_llama_error(); !words.empty()) error.what += ": " + words;
    return report_error("requantize", error);
  }
  const auto model = read_gguf_file(options.out);
  if (!model) return report_error("requantize", model.error());
  if (common.json) {
    fmt::print("{{\"schema\":\"kvpsi.requantize/1\",\"file_bytes\":{}}}\n", model->file_bytes);
  } else if (!common.quiet) {
    fmt::print("{}: {}\n", options.out, format_bytes(model->file_bytes));
  }
  return kExitDone;
}

}  // namespace

RunCommand add_requantize(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<RequantizeOptions>();
  app.add_option("in", options->in, "Model file (GGUF)")->type_name("IN")->required();
  app.add_option("out", options->out, "Where the copy goes")->type_name("OUT")->required();
  app.add_option("--type", options->type, "q4_0, q4_1, q5_0, q5_1, q8_0, q4_k_m, iq4_nl or f16")
      ->type_name("TYPE")
      ->capture_default_str();
  return [options, &common] { return run_requantize(*options, common); };
}

}  // namespace kvpsi
