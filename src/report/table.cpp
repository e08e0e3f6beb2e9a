// SPDX-License-Identifier: MIT
// The sections of table.txt in their sequence; see table.h. Rows and medians are in table_rows.
#include "report/table.h"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>

#include "base/bytes.h"
#include "bench/verdict.h"
#include "report/table_rows.h"
#include "report/text_grid.h"

namespace kvpsi {
namespace {

std::string utc_text(std::int64_t seconds) {
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  char text[32] = "";
  if (seconds <= 0 || ::gmtime_r(&time, &parts) == nullptr) return "-";
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

/// Sentences stay readable where the grid may be as wide as it likes.
std::size_t prose_columns(const TableOptions& options) {
  constexpr std::size_t kMostColumns = 110;
  return options.columns == 0 ? kMostColumns : std::min(options.columns, kMostColumns);
}

void add_wrapped(std::string& out, std::string_view label, std::string_view text,
                 const TableOptions& options) {
  if (text.empty()) return;
  constexpr std::size_t kIndent = 10;
  auto lines = wrap_text(text, prose_columns(options), kIndent);
  lines.front().replace(0, kIndent, fmt::format("{:<{}}", label, kIndent));
  for (const std::string& line : lines) out += line + "\n";
}

std::string render_head(const BenchResults& results, const TableOptions& options) {
  const BenchContext& context = results.context;
  std::string out = style_text(Style::bold,
                               fmt::format("kvpsi {} pressure benchmark, {}", context.kvpsi_version,
                                           utc_text(context.started_s)),
                               options.colour) +
                    "\n";
  add_wrapped(out, "machine",
              fmt::format("{}, {}, kernel {}", context.host, context.cpu, context.kernel), options);
  add_wrapped(out, "memory",
              fmt::format("psi {}; cgroup {}; swap {}; thp {}", context.psi, context.cgroup,
                          context.swap, context.thp),
              options);
  add_wrapped(out, "model",
              fmt::format("{}, llama.cpp {}, threads {}, seed {}", context.model,
                          context.llama_commit, context.threads, context.seed),
              options);
  add_wrapped(out, "flags", context.flags, options);
  for (const std::string& warning : context.warnings) add_wrapped(out, "warning", warning, options);
  if (!context.complete) {
    add_wrapped(out, "note",
                fmt::format("cut short: {} of {} planned runs are here", results.trials.size(),
                            context.trials_planned),
                options);
  }
  return out;
}

std::string_view meaning(Squeeze squeeze) {
  switch (squeeze) {
    case Squeeze::s1:
      return "lossless: the limit is below what fixed needs and above what is live; nothing is "
             "trimmed";
    case Squeeze::s2:
      return "the limit is below all that is live, and all of it is one conversation at work: psi "
             "takes part of its context out until there is room again, psi-strict never does; read "
             "psi beside small, a fixed cache of the size psi decoded with";
    case Squeeze::s3:
      return "idle tenants, lossless: the limit is below all that is live, but most of that is "
             "conversations that wait; they have their turn when the neighbour is gone";
    case Squeeze::reference:
      return "the reference project's scenario: the whole machine fills up in steps";
  }
  return "";
}

/// "limit 262 MiB (0.86 x 305 MiB, ...), neighbour 100 MiB alone 52.1 rounds/s, -c 8192 ..."
std::string describe_squeeze(const SqueezeContext& squeeze) {
  std::string text = squeeze.scope == "system" ? "whole machine" : "group limit ";
  if (squeeze.scope != "system") {
    text += squeeze.limit_bytes > 0 ? format_bytes(squeeze.limit_bytes) : "none";
  }
  if (!squeeze.limit_rule.empty()) text += fmt::format(" ({})", squeeze.limit_rule);
  text += fmt::format("; -c {}, ", squeeze.n_ctx);
  if (squeeze.tenants > 1) text += fmt::format("{} x ", squeeze.tenants);
  text += fmt::format("{} prompt + {} decoded tokens", squeeze.prompt_tokens, squeeze.n_predict);
  if (squeeze.then_tokens > 0) {
    text += fmt::format(", then {} x {}", squeeze.tenants - 1, squeeze.then_tokens);
  }
  if (squeeze.live_kv_bytes > 0) {
    text += fmt::format("; weights {}, live KV {}", format_bytes(squeeze.weights_bytes),
                        format_bytes(squeeze.live_kv_bytes));
  }
  text += fmt::format("; neighbour {}", format_bytes(squeeze.neighbour_bytes));
  if (squeeze.neighbour_alone) {
    text += fmt::format(", alone {:.1f} rounds/s with p99 {:.1f} ms",
                        squeeze.neighbour_alone->rounds_s, squeeze.neighbour_alone->p99_ms);
  }
  return text;
}

Style style_of(std::string_view words) {
  if (words.starts_with("supported")) return Style::green;
  if (words.starts_with("contradicted")) return Style::red;
  return Style::yellow;
}

std::string render_squeeze(const BenchResults& results, const SqueezeContext& squeeze,
                           const TableOptions& options) {
  const std::string_view title = name(squeeze.squeeze);
  std::string out = "\n" + style_text(Style::bold, title, options.colour) + "\n";
  add_wrapped(out, "what", meaning(squeeze.squeeze), options);
  add_wrapped(out, "how", describe_squeeze(squeeze), options);
  if (!squeeze.pressure_arose) {
    add_wrapped(out, "note",
                "no memory pressure arose in these runs: there is nothing to compare, and equal "
                "numbers are no tie",
                options);
  }
  out += "\n" + render_runs(results, squeeze.squeeze, options) + "\n" +
         render_medians(results, squeeze.squeeze, options) +
         render_account(results, squeeze.squeeze, options);
  const std::string verdicts = render_verdicts(results, squeeze.squeeze, options);
  return verdicts.empty() ? out : out + "\n" + verdicts;
}

/// Squeezes as described, plus those that only occur in trials (a file cut by hand).
std::vector<SqueezeContext> squeezes_of(const BenchResults& results) {
  std::vector<SqueezeContext> squeezes = results.context.squeezes;
  for (const Trial& trial : results.trials) {
    if (std::ranges::find(squeezes, trial.squeeze, &SqueezeContext::squeeze) == squeezes.end()) {
      squeezes.push_back(SqueezeContext{.squeeze = trial.squeeze,
                                        .scope = trial.limit_bytes > 0 ? "cgroup" : "system",
                                        .limit_rule = {},
                                        .limit_bytes = trial.limit_bytes,
                                        .n_ctx = trial.n_ctx,
                                        .prompt_tokens = trial.prompt_tokens,
                                        .n_predict = trial.decoded,
                                        .neighbour_alone = {}});
    }
  }
  return squeezes;
}

}  // namespace

std::string render_verdicts(const BenchResults& results, Squeeze squeeze,
                            const TableOptions& options) {
  const std::string prefix = std::string(name(squeeze)) + " ";
  TextGrid grid({{"", "comparison", Align::left},
                 {"", "ratio"},
                 {"", "95 % interval", Align::left},
                 {"order", "effect"},
                 {"", "pairs"}});
  std::string words;
  bool any = false;
  for (const Verdict& verdict : results.verdicts) {
    if (!verdict.metric.starts_with(prefix)) continue;
    any = true;
    const std::string metric = verdict.metric.substr(prefix.size());
    const bool interval = verdict.ci95_lo && verdict.ci95_hi;
    grid.add_row({{metric},
                  {verdict.n > 0 ? fmt::format("{:.3g}", verdict.ratio_median) : "-"},
                  {interval ? fmt::format("{:.3g} .. {:.3g}", *verdict.ci95_lo, *verdict.ci95_hi)
                            : std::string(verdict.n < kLeastPairs ? "too few pairs" : "-")},
                  {verdict.order_effect ? fmt::format("{:.2f}", *verdict.order_effect) : "-"},
                  {std::to_string(verdict.n)}});
    auto lines = wrap_text(verdict.words, prose_columns(options), 4);
    lines.front().replace(2, 1, "-");
    for (const std::string& line : lines) {
      words += style_text(style_of(verdict.words), line, options.colour) + "\n";
    }
  }
  if (!any) return "";
  return grid.render(options.columns, 1, options.colour) + "\nverdict\n" + words;
}

std::string render_table(const BenchResults& results, const TableOptions& options) {
  std::string out = render_head(results, options);
  for (const SqueezeContext& squeeze : squeezes_of(results)) {
    out += render_squeeze(results, squeeze, options);
  }
  if (results.trials.empty()) out += "\nno run has ended yet\n";
  if (!results.verdicts.empty()) {
    out += "\n";
    std::string_view rule = verdict_rule();
    if (rule.starts_with("Rule: ")) rule.remove_prefix(6);
    add_wrapped(out, "rule", rule, options);
    add_wrapped(out, "",
                "order effect: the ratio when fixed runs first over the ratio when psi runs first; "
                "1 = the order does not matter",
                options);
  }
  return out;
}

}  // namespace kvpsi
