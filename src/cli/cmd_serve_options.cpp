// SPDX-License-Identifier: MIT
// See cmd_serve_options.h. llama-server has options that begin with --kv- too, so ours are known by
// their whole name.
#include "cli/cmd_serve_options.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/bytes.h"
#include "base/duration.h"
#include "cli/options.h"
#include "cli/suggest.h"
#include "cli/trim_option.h"

namespace kvpsi {
namespace {

constexpr std::uint32_t kMany = 1U << 30;
constexpr std::string_view kOurPrefix = "--psi-";  // llama-server has none that begins so

void add_time_option(CLI::App& app, const std::string& name, std::optional<std::uint64_t>& us,
                     const std::string& default_text, const std::string& help) {
  const auto parse = [name, &us](const std::string& text) {
    us.reset();
    if (text == "off") return;
    const auto parsed = parse_duration_us(text);
    if (!parsed) throw CLI::ValidationError(name, parsed.error().what + ", or off");
    us = *parsed;
  };
  app.add_option_function<std::string>(name, parse, help)
      ->type_name("TIME|off")
      ->default_str(default_text);
}

void add_serve_options(CLI::App& app, ServeOptions& options) {
  add_on_off_option(app, "--psi-governor", options.governor,
                    "Give memory back under pressure; off: as llama-server does");
  app.add_flag("--psi-dry-run", options.dry_run,
               "Say what would be done (--psi-journal), do nothing");
  add_on_off_option(app, "--psi-release", options.release,
                    "off: free pages stay, and nothing is trimmed");
  add_on_off_option(
      app, "--psi-admission", options.admission,
      "Answer new work with 503 and Retry-After while memory is short; what runs goes "
      "on");
  add_time_option(app, "--psi-admission-wait", options.admission_wait_us, "30s",
                  "New work first waits this long for its turn; off: it gets 503 at once");
  app.add_flag("--psi-require", options.require,
               "Exit with an error if anything cannot be governed");
  app.add_flag("--psi-quiet", options.quiet, "Print no banner and no summary; errors stay");
  add_bytes_option(
      app, "--kv-max", options.kv_max_bytes,
      "Goal for live KV memory: above it idle conversations go to disk, then running ones "
      "are trimmed where --kv-trim lets them be; 0: none");
  add_bytes_option(app, "--kv-min", options.kv_min_bytes,
                   "Conversations stay in memory up to this much live KV");
  add_spill_options(app, options.spill, "--kv-spill");
  add_trim_option(
      app, "--kv-trim", options.trim, "conversations that are being answered",
      ". Responses made so say it (X-KVPSI-Context); a request forbids it with \"kvpsi\": "
      "{\"trim\": false}");
  add_number_option(app, "--kv-trim-keep", options.trim_keep, 1, kMany,
                    "First tokens of a conversation that trim never takes");
  add_number_option(app, "--kv-trim-tail", options.trim_tail, 1, kMany,
                    "Last tokens of a conversation that trim never takes");
  add_number_option(app, "--kv-trim-min", options.trim_min, 1, kMany,
                    "Trim takes this many tokens or none");
  add_time_option(
      app, "--kv-idle-spill", options.idle_spill_us, "60s",
      "Conversations that nobody has used for this long go to disk, and come back when they "
      "are used; saved prompts go sooner; off: only when memory is short");
  app.add_option("--psi-journal", options.journal,
                 "Record every turn of the governor (JSON lines); a router's child adds its "
                 "process id to the name")
      ->type_name("FILE");
  app.add_option("--psi-own", options.psi_own, "Pressure file, FIFO or socket of the own group")
      ->type_name("PATH");
  app.add_option("--psi-parent", options.psi_parent, "The same of the parent group")
      ->type_name("PATH");
  app.add_option("--psi-system", options.psi_system, "The same of the machine")->type_name("PATH");
}

/// Our own words, taken out of all of them.
class OurOptions {
 public:
  explicit OurOptions(ServeOptions& options)
      : app_(
            "Options of kvpsi; everything else goes to llama-server, whose own help follows. Each "
            "may also be set as an environment variable, KVPSI_<OPTION>.",
            "kvpsi serve") {
    add_serve_options(app_, options);
    app_.set_help_flag();
    app_.get_formatter()->column_width(36);
    name_environment_variables(app_);
  }

  std::string help() const { return app_.help(); }

  /// How many words from `at` on are ours; 0: none.
  std::size_t count_ours(const std::vector<std::string>& words, std::size_t at) const {
    const std::string name = words[at].substr(0, words[at].find('='));
    if (!name.starts_with("--")) return 0;
    const CLI::Option* const option = app_.get_option_no_throw(name);
    if (option == nullptr) return 0;
    const bool has_value_behind = name == words[at] && option->get_items_expected_min() > 0;
    return has_value_behind ? std::min<std::size_t>(2, words.size() - at) : 1;
  }

  Result<void> check_unknown(const std::string& word) const {
    if (!word.starts_with(kOurPrefix)) return {};
    std::vector<std::string> known;
    for (const CLI::Option* option : app_.get_options()) {
      known.push_back("--" + option->get_lnames().front());
    }
    const std::string near = nearest_word(word.substr(0, word.find('=')), known);
    return fail(ErrorCode::invalid_argument,
                fmt::format("unknown option '{}'{}", word,
                            near.empty() ? "" : fmt::format(", did you mean '{}'?", near)));
  }

  Result<void> parse(std::vector<std::string> words) {
    try {
      std::ranges::reverse(words);  // CLI11 takes the words from the back
      app_.parse(std::move(words));
    } catch (const CLI::ParseError& error) {
      std::string what = error.what();
      std::ranges::replace(what, '\n', ' ');
      return fail(ErrorCode::invalid_argument, what);
    }
    return {};
  }

  std::vector<std::pair<std::string, std::string>> given() const {
    std::vector<std::pair<std::string, std::string>> out;
    for (const CLI::Option* option : app_.get_options()) {
      if (option->count() > 0) out.emplace_back(option->get_envname(), option->results().back());
    }
    return out;
  }

 private:
  CLI::App app_;
};

Result<void> check_options(const ServeOptions& options) {
  if (options.require && !options.is_elastic()) {
    return fail(ErrorCode::invalid_argument,
                "--psi-require needs the governor: without --psi-governor off, --psi-dry-run and "
                "--psi-release off");
  }
  if (options.dry_run && !options.governor) {
    return fail(ErrorCode::invalid_argument, "--psi-dry-run needs --psi-governor on");
  }
  if (options.kv_max_bytes != 0 && options.kv_min_bytes > options.kv_max_bytes) {
    return fail(ErrorCode::invalid_argument, fmt::format("--kv-min {} is more than --kv-max {}",
                                                         format_bytes(options.kv_min_bytes),
                                                         format_bytes(options.kv_max_bytes)));
  }
  return {};
}

bool is_one_of(const std::string& word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

}  // namespace

Result<ServeArguments> split_serve_arguments(const std::vector<std::string>& words) {
  ServeArguments out;
  OurOptions known(out.options);
  std::vector<std::string> ours;
  for (std::size_t i = 0; i < words.size();) {
    const std::string& word = words[i];
    const auto count = static_cast<std::ptrdiff_t>(known.count_ours(words, i));
    if (count > 0) {
      const auto first = words.begin() + static_cast<std::ptrdiff_t>(i);
      ours.insert(ours.end(), first, first + count);
      i += static_cast<std::size_t>(count);
      continue;
    }
    if (const auto checked = known.check_unknown(word); !checked) {
      return std::unexpected(checked.error());
    }
    out.asks_for_help |= is_one_of(word, {"-h", "--help", "--usage"});
    out.asks_for_version |= word == "--version";
    out.names_cache_size |= is_one_of(word, {"-cram", "--cache-ram"});
    const bool names_model = is_one_of(word, {"-m", "--model", "-hf", "-hfr", "--hf-repo"});
    if (names_model && i + 1 < words.size()) out.model = words[i + 1];
    out.server.push_back(word);
    ++i;
  }
  if (const auto parsed = known.parse(std::move(ours)); !parsed) {
    return std::unexpected(parsed.error());
  }
  out.environment = known.given();
  out.names_cache_size |= std::getenv("LLAMA_ARG_CACHE_RAM") != nullptr;
  if (const auto checked = check_options(out.options); !checked) {
    return std::unexpected(checked.error());
  }
  return out;
}

std::string serve_help() {
  ServeOptions defaults;
  return OurOptions(defaults).help();
}

}  // namespace kvpsi
