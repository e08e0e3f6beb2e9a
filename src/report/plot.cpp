// SPDX-License-Identifier: MIT
// From results to files and a picture; see plot.h.
#include "report/plot.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/bytes.h"
#include "journal/reader.h"
#include "report/gnuplot_text.h"
#include "report/plot_script.h"
#include "report/plot_series.h"
#include "report/program.h"
#include "report/run_summary.h"

namespace kvpsi {
namespace {

constexpr std::uint64_t kGnuplotTimeoutUs = 60'000'000;
constexpr double kMostLeadShare = 0.6;  // loading and prefill shown, as a share of decoding
constexpr double kRoomAbove = 1.12;     // for the marks of actions

/// One run that is drawn.
struct Drawn {
  const Trial* trial = nullptr;
  PlotSeries series;
};

/// What all steps of one picture share.
struct Work {
  const BenchResults& results;
  const PlotOptions& options;
  PlotFiles files;
  bool kv_from_summary = false;  ///< of any run drawn so far
};

std::string file_path(const PlotOptions& options, const std::string& name) {
  return options.out_dir.empty() ? name : options.out_dir + "/" + name;
}

Result<void> write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return fail(ErrorCode::io, "cannot write a file of the plot", path, errno);
  return {};
}

std::optional<Drawn> load_run(const Trial& trial, const PlotOptions& options,
                              std::vector<std::string>& notes) {
  const auto left_out = [&](const std::string& why) {
    notes.push_back(
        fmt::format("{} {} is not drawn: {}", name(trial.squeeze), name(trial.variant), why));
    return std::nullopt;
  };
  const auto summary = read_run_summary(file_path(options, trial.summary));
  if (!summary) return left_out(describe(summary.error()));
  const auto journal = read_journal(file_path(options, trial.journal));
  if (!journal) return left_out(describe(journal.error()));
  if (journal->ticks.empty()) return left_out(trial.journal + " holds no tick");
  if (journal->ends_in_cut_line) notes.push_back(trial.journal + " ends in a cut line");
  return Drawn{&trial, make_series(journal->ticks, *summary)};
}

void widen(PlotBlock& block, const PlotSeries& series) {
  for (const MemoryPoint& p : series.memory) {
    block.t_min_s = std::min(block.t_min_s, p.t_s);
    block.t_max_s = std::max(block.t_max_s, p.t_s);
    block.memory_max_mib =
        std::max(block.memory_max_mib, p.weights_mib + p.kv_mib + p.scratch_mib + p.other_mib);
  }
  for (const TokenPoint& p : series.tokens) {
    block.t_max_s = std::max(block.t_max_s, p.t_s);
    block.tok_s_max = std::max(block.tok_s_max, p.tok_s);
  }
}

/// What the limit leaves for the engine; none for runs without a limit.
std::optional<double> room_of(const BenchResults& results, const Trial& trial) {
  if (trial.limit_bytes == 0) return std::nullopt;
  for (const SqueezeContext& context : results.context.squeezes) {
    if (context.squeeze == trial.squeeze && trial.limit_bytes > context.neighbour_bytes) {
      return to_mib(trial.limit_bytes - context.neighbour_bytes);
    }
  }
  return std::nullopt;
}

std::string subtitle_of(const Trial& trial) {
  std::string text = fmt::format("{:.1f} tok/s", trial.tok_s);
  if (trial.own_psi) text += fmt::format(", stalled {:.1f} %", trial.own_psi->some_pct);
  if (trial.tokens_trimmed > 0) text += fmt::format(", {} trimmed", trial.tokens_trimmed);
  if (trial.spilled_bytes > 0) text += ", spilled " + format_bytes(trial.spilled_bytes);
  if (trial.exit != "ok") text += ", " + trial.exit;
  return text;
}

Result<PlotColumn> write_column(Work& work, const Drawn& drawn) {
  const Trial& trial = *drawn.trial;
  const std::string stem =
      fmt::format("{}-{}-{}", work.options.base_name, name(trial.squeeze), name(trial.variant));
  PlotColumn column;
  column.title = name(trial.variant);
  column.subtitle = subtitle_of(trial);
  column.memory_file = stem + "-memory.tsv";
  column.tokens_file = stem + "-tokens.tsv";
  column.room_mib = room_of(work.results, trial);
  std::vector<std::pair<std::string, std::string>> parts = {
      {column.memory_file, memory_tsv(drawn.series)},
      {column.tokens_file, tokens_tsv(drawn.series)}};
  if (!drawn.series.actions.empty()) {
    column.actions_file = stem + "-actions.tsv";
    parts.emplace_back(column.actions_file, actions_tsv(drawn.series));
  }
  for (const auto& [file, text] : parts) {
    const std::string path = file_path(work.options, file);
    if (auto written = write_text(path, text); !written) return std::unexpected(written.error());
    work.files.data.push_back(path);
  }
  return column;
}

std::string block_title(const BenchResults& results, Squeeze squeeze) {
  std::string title(name(squeeze));
  for (const SqueezeContext& context : results.context.squeezes) {
    if (context.squeeze != squeeze) continue;
    if (squeeze == Squeeze::s1) title += ", lossless squeeze";
    if (squeeze == Squeeze::s2) title += ", below what one conversation needs";
    if (squeeze == Squeeze::s3) title += ", idle tenants";
    if (context.limit_bytes > 0) title += ": group limit " + format_bytes(context.limit_bytes);
    title += ", neighbour " + format_bytes(context.neighbour_bytes);
    if (!context.pressure_arose) title += " (no pressure arose)";
  }
  return title;
}

/// A variant that ran but left nothing to draw keeps its place: leaving out those that were killed
/// would flatter whoever killed them.
void add_empty_column(PlotBlock& block, Work& work, Squeeze squeeze, Variant variant) {
  for (const Trial& trial : work.results.trials) {
    if (trial.squeeze != squeeze || trial.variant != variant) continue;
    PlotColumn column;
    column.title = name(variant);
    column.subtitle = trial.exit == "ok" ? "no records" : trial.exit;
    block.columns.push_back(std::move(column));
    return;
  }
}

/// One squeeze; empty if none of its runs can be drawn.
Result<std::optional<PlotBlock>> write_block(Work& work, Squeeze squeeze) {
  PlotBlock block;
  block.title = block_title(work.results, squeeze);
  for (const Variant variant : kVariants) {
    const Trial* trial = median_trial(work.results, squeeze, variant);
    const auto drawn =
        trial == nullptr ? std::nullopt : load_run(*trial, work.options, work.files.notes);
    if (!drawn) {
      add_empty_column(block, work, squeeze, variant);
      continue;
    }
    widen(block, drawn->series);
    work.kv_from_summary = work.kv_from_summary || drawn->series.kv_from_summary;
    auto column = write_column(work, *drawn);
    if (!column) return std::unexpected(column.error());
    if (column->room_mib) block.memory_max_mib = std::max(block.memory_max_mib, *column->room_mib);
    block.columns.push_back(std::move(*column));
  }
  const auto is_drawn = [](const PlotColumn& column) { return !column.memory_file.empty(); };
  if (std::ranges::none_of(block.columns, is_drawn)) return std::optional<PlotBlock>{};
  block.t_min_s = std::max(block.t_min_s, -kMostLeadShare * block.t_max_s);
  block.memory_max_mib = round_up(kRoomAbove * block.memory_max_mib);
  block.tok_s_max = round_up(1.05 * block.tok_s_max);
  return std::optional(std::move(block));
}

std::string footnote_of(const Work& work) {
  const BenchContext& context = work.results.context;
  return fmt::format("Median run of each variant, same axes.{} {}, kernel {}.",
                     work.kv_from_summary
                         ? " Stock llama.cpp: KV as measured at the end, all committed at creation."
                         : "",
                     context.cpu, context.kernel);
}

void draw(const PlotOptions& options, PlotFiles& files) {
  const std::string script = options.base_name + ".gp";
  if (options.gnuplot.empty()) {
    files.notes.push_back(fmt::format(
        "no picture: gnuplot is not installed; apt-get install gnuplot-nox, then (cd {} && gnuplot "
        "{})",
        options.out_dir.empty() ? "." : options.out_dir, script));
    return;
  }
  const auto end = run_program(options.gnuplot, {script}, options.out_dir, kGnuplotTimeoutUs);
  if (!end || end->exit_code != 0) {
    const std::string why = !end ? describe(end.error()) : end->output.substr(0, 200);
    files.notes.push_back(fmt::format("no picture: gnuplot failed on {}: {}", script, why));
    return;
  }
  for (const char* kind : {".svg", ".png"}) {
    files.pictures.push_back(file_path(options, options.base_name + kind));
  }
}

}  // namespace

const Trial* median_trial(const BenchResults& results, Squeeze squeeze, Variant variant) {
  std::vector<const Trial*> good;
  std::vector<const Trial*> other;
  for (const Trial& trial : results.trials) {
    if (trial.squeeze != squeeze || trial.variant != variant) continue;
    if (trial.journal.empty() || trial.summary.empty()) continue;
    (trial.exit == "ok" ? good : other).push_back(&trial);
  }
  std::vector<const Trial*>& pick = good.empty() ? other : good;
  if (pick.empty()) return nullptr;
  std::ranges::stable_sort(pick, {}, &Trial::tok_s);
  return pick[(pick.size() - 1) / 2];
}

Result<PlotFiles> write_plot(const BenchResults& results, const PlotOptions& options) {
  Work work{results, options, {}};
  PlotPage page;
  page.title = fmt::format("kvpsi {}: {}", results.context.kvpsi_version,
                           std::filesystem::path(results.context.model).filename().string());
  page.base_name = options.base_name;
  for (const Squeeze squeeze : kSqueezes) {
    auto block = write_block(work, squeeze);
    if (!block) return std::unexpected(block.error());
    if (*block) page.blocks.push_back(std::move(**block));
  }
  if (page.blocks.empty()) {
    work.files.notes.push_back("no picture: no run left both a journal and a summary");
    return std::move(work.files);
  }
  page.footnote = footnote_of(work);
  const std::string script = file_path(options, options.base_name + ".gp");
  if (auto written = write_text(script, plot_script(page)); !written) {
    return std::unexpected(written.error());
  }
  work.files.data.push_back(script);
  draw(options, work.files);
  return std::move(work.files);
}

}  // namespace kvpsi
