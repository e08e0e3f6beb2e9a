// SPDX-License-Identifier: MIT
// From JSON to a Scenario, refusing what it does not know; see scenario.h and docs/scenarios.md.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "sim/scenario.h"
#include "sim/scenario_fields.h"

namespace kvpsi {
namespace {

using nlohmann::json;

/// "66.7", "60".
std::string short_number(double value) { return fmt::format("{:.4g}", value); }

/// Reads the name of one of `kinds`.
template <class Kind, std::size_t N>
void read_kind(Fields& fields, std::string_view key, const std::array<Kind, N>& kinds, Kind& into) {
  fields.need(key);
  std::string text;
  fields.read_text(key, text);
  std::string known;
  for (const Kind kind : kinds) {
    if (name(kind) == text) {
      into = kind;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(name(kind));
  }
  fields.complain(key, "\"" + text + "\" is none of " + known);
}

constexpr std::array kNeighbourKinds{
    NeighbourKind::step, NeighbourKind::ramp,    NeighbourKind::sawtooth, NeighbourKind::leak,
    NeighbourKind::flap, NeighbourKind::foreign, NeighbourKind::trace};
constexpr std::array kEventKinds{
    EventKind::limit,         EventKind::psi_vanishes, EventKind::psi_returns,
    EventKind::counter_reset, EventKind::clock_jump,   EventKind::suspend,
    EventKind::pools_refuse,  EventKind::pools_obey,   EventKind::give_back,
    EventKind::pause,         EventKind::resume,       EventKind::disk_full,
    EventKind::disk_broken,   EventKind::disk_works,   EventKind::disk_rate};

void read_machine(const json& object, MachineSpec& machine, Complaint& complaint) {
  Fields fields(object, "machine", complaint);
  fields.need("ram");
  fields.read_bytes("ram", machine.ram_bytes);
  fields.read_bytes("swap", machine.swap_bytes);
  fields.read_flag("zram", machine.swap_is_zram);
  fields.read_count("cpus", machine.cpus);
  fields.read_bytes("other_used", machine.other_used_bytes);
  fields.read_bytes("cold_file", machine.cold_file_bytes);
  fields.read_rate("disk_read_per_s", machine.disk_read_bytes_per_s);
  fields.read_flag("psi", machine.has_psi);
  if (machine.cpus == 0) fields.complain("cpus", "must be at least 1");
  if (machine.swap_is_zram && machine.swap_bytes == 0) {
    fields.complain("zram", "needs a size in \"swap\"");
  }
  if (machine.other_used_bytes >= machine.ram_bytes) {
    fields.complain("other_used", "must be less than \"ram\"");
  }
}

void read_group(const json& object, GroupSpec& group, Complaint& complaint) {
  Fields fields(object, "group", complaint);
  std::uint64_t limit = 0;
  fields.read_bytes("limit", limit);
  fields.read_bytes("cold_file", group.cold_file_bytes);
  if (!fields.has("limit")) return;
  if (limit == 0) return fields.complain("limit", "must be more than 0; leave it out for none");
  group.limit_bytes = limit;
}

void read_disk(const json& object, DiskSpec& disk, Complaint& complaint) {
  Fields fields(object, "disk", complaint);
  fields.read_flag("present", disk.is_present);
  fields.read_rate("per_s", disk.bytes_per_s);
  fields.read_seconds("latency_s", disk.latency_s);
  fields.read_bytes("capacity", disk.capacity_bytes);
}

void read_trim(Fields& fields, EngineSpec& engine) {
  std::string trim = "off";
  fields.read_text("trim", trim);
  if (trim == "off") {
    engine.trim = TrimRule::off;
  } else if (trim == "last-resort") {
    engine.trim = TrimRule::last_resort;
  } else if (trim == "eager") {
    engine.trim = TrimRule::eager;
  } else {
    fields.complain("trim", "\"" + trim + "\" is none of off, last-resort, eager");
  }
}

void read_engine(const json& object, EngineSpec& engine, Complaint& complaint) {
  Fields fields(object, "engine", complaint);
  for (const char* key : {"weights", "base", "bytes_per_token", "context"}) fields.need(key);
  fields.read_bytes("weights", engine.weights_bytes);
  fields.read_flag("repacked", engine.is_repacked);
  fields.read_bytes("base", engine.base_bytes);
  fields.read_bytes("bytes_per_token", engine.bytes_per_token);
  fields.read_bytes("granule", engine.granule_bytes);
  fields.read_positive("tokens_per_s", engine.tokens_per_s);
  fields.read_positive("prefill_tokens_per_s", engine.prefill_tokens_per_s);
  fields.read_bytes("scratch", engine.scratch_bytes);
  fields.read_bytes("prefill_scratch", engine.prefill_scratch_bytes);
  fields.read_count("context", engine.context_tokens);
  fields.read_count("keep", engine.keep_tokens);
  fields.read_count("tail", engine.tail_tokens);
  fields.read_bytes("kv_min", engine.kv_min_bytes);
  fields.read_bytes("kv_max", engine.kv_max_bytes);
  read_trim(fields, engine);
  if (engine.bytes_per_token == 0) fields.complain("bytes_per_token", "must be more than 0");
  if (engine.context_tokens == 0) fields.complain("context", "must be more than 0");
  if (engine.bytes_per_token != 0 && engine.context_tokens > kMostBytes / engine.bytes_per_token) {
    fields.complain("context", "a cache of more than 1 PiB");
  }
  if (engine.granule_bytes == 0) fields.complain("granule", "must be more than 0");
  if (engine.keep_tokens + engine.tail_tokens >= engine.context_tokens) {
    fields.complain("tail", "\"keep\" and \"tail\" together must be less than \"context\"");
  }
  if (engine.kv_max_bytes != 0 && engine.kv_min_bytes > engine.kv_max_bytes) {
    fields.complain("kv_min", "must not be more than \"kv_max\"");
  }
}

void read_sequence(const json& object, const std::string& path, const EngineSpec& engine,
                   std::vector<SequenceSpec>& workload, Complaint& complaint) {
  Fields fields(object, path, complaint);
  SequenceSpec sequence;
  std::uint64_t copies = 1;
  double apart_s = 0;
  fields.need("prompt");
  fields.read_seconds("start_s", sequence.start_s);
  fields.read_count("prompt", sequence.prompt_tokens);
  fields.read_count("answer", sequence.answer_tokens);
  fields.read_seconds("pause_s", sequence.pause_s);
  fields.read_count("turns", sequence.turns);
  fields.read_flag("forgets", sequence.forgets);
  fields.read_count("copies", copies);
  fields.read_seconds("apart_s", apart_s);
  if (sequence.prompt_tokens == 0) fields.complain("prompt", "must be at least 1");
  if (copies == 0 || copies > 64) fields.complain("copies", "must be from 1 to 64");
  if ((sequence.prompt_tokens + sequence.answer_tokens) * 11 / 10 >= engine.context_tokens) {
    fields.complain("prompt", "with its answer, and 10 % more, it must fit into the context");
  }
  if (complaint.found()) return;
  for (std::uint64_t i = 0; i < copies; ++i) {
    workload.push_back(sequence);
    sequence.start_s += apart_s;
  }
}

void read_trace(Fields& fields, NeighbourSpec& neighbour, double duration_s, Complaint& complaint) {
  const json* points = fields.array("trace");
  if (points == nullptr) return;
  for (std::size_t i = 0; i < points->size(); ++i) {
    const json& point = (*points)[i];
    const std::string where = fields.path() + ".trace[" + std::to_string(i) + "]";
    if (!point.is_array() || point.size() != 2 || !point[0].is_number()) {
      return complaint.say(where, "a point is [seconds, \"size\"]");
    }
    const double t_s = point[0].get<double>();
    const double last_s = neighbour.trace.empty() ? -1 : neighbour.trace.back().first;
    if (!(t_s >= 0)) return complaint.say(where, "its time must be at least 0");
    if (!(t_s > last_s)) return complaint.say(where, "times must rise");
    if (t_s >= duration_s) return complaint.say(where, "is after the end of the scenario");
    const auto bytes = read_size(point[1], where, complaint);
    if (!bytes) return;
    neighbour.trace.emplace_back(t_s, *bytes);
  }
}

void check_neighbour(Fields& fields, const NeighbourSpec& neighbour, const Scenario& scenario) {
  const NeighbourKind kind = neighbour.kind;
  const bool needs_period = kind == NeighbourKind::ramp || kind == NeighbourKind::sawtooth ||
                            kind == NeighbourKind::leak || kind == NeighbourKind::flap;
  if (needs_period && neighbour.period_s <= 0) fields.complain("period_s", "must be more than 0");
  if (!needs_period && neighbour.period_s > 0) {
    fields.complain("period_s", "means nothing for this kind");
  }
  if (kind == NeighbourKind::trace) {
    if (neighbour.trace.empty()) fields.complain("trace", "needs at least one point");
    if (neighbour.bytes != 0) fields.complain("bytes", "contradicts \"trace\"");
  } else {
    if (neighbour.bytes == 0) fields.complain("bytes", "must be more than 0");
    if (!neighbour.trace.empty()) fields.complain("trace", "means nothing for this kind");
  }
  if ((kind == NeighbourKind::foreign) != (neighbour.own_limit_bytes != 0)) {
    fields.complain("own_limit", "belongs to the kind foreign, and only there");
  }
  if (neighbour.start_s >= scenario.duration_s) {
    fields.complain("start_s", "is after the end of the scenario");
  }
  if (neighbour.end_s <= neighbour.start_s) fields.complain("end_s", "must be after \"start_s\"");
  if (neighbour.end_s > scenario.duration_s) {
    fields.complain("end_s", "is after the end of the scenario");
  }
  if (neighbour.in_group && !scenario.group.limit_bytes) {
    fields.complain("where", "there is no group with a limit");
  }
}

void read_neighbour(const json& object, const std::string& path, Scenario& scenario,
                    Complaint& complaint) {
  Fields fields(object, path, complaint);
  NeighbourSpec neighbour;
  neighbour.end_s = scenario.duration_s;
  read_kind(fields, "kind", kNeighbourKinds, neighbour.kind);
  std::string where = "outside";
  fields.read_text("where", where);
  neighbour.in_group = where == "group";
  if (where != "group" && where != "outside") {
    fields.complain("where", "\"" + where + "\" is none of group, outside");
  }
  fields.read_bytes("bytes", neighbour.bytes);
  fields.read_seconds("start_s", neighbour.start_s);
  fields.read_seconds("end_s", neighbour.end_s);
  fields.read_seconds("period_s", neighbour.period_s);
  fields.read_share("file_share", neighbour.file_share);
  fields.read_bytes("own_limit", neighbour.own_limit_bytes);
  read_trace(fields, neighbour, scenario.duration_s, complaint);
  check_neighbour(fields, neighbour, scenario);
  if (!complaint.found()) scenario.neighbours.push_back(neighbour);
}

void read_event(const json& object, const std::string& path, Scenario& scenario,
                Complaint& complaint) {
  Fields fields(object, path, complaint);
  EventSpec event;
  read_kind(fields, "kind", kEventKinds, event.kind);
  fields.need("at_s");
  fields.read_seconds("at_s", event.at_s);
  fields.read_seconds("seconds", event.seconds);
  const bool sets_rate = event.kind == EventKind::disk_rate;
  if (sets_rate) fields.need("bytes");
  if (fields.has("bytes")) {
    std::uint64_t bytes = 0;
    fields.read_bytes("bytes", bytes);
    event.bytes = bytes;
    if (event.kind != EventKind::limit && !sets_rate) {
      fields.complain("bytes", "belongs to the kinds limit and disk_rate");
    }
    if (bytes == 0) fields.complain("bytes", "must be more than 0; leave it out for no limit");
  }
  const bool leaps = event.kind == EventKind::clock_jump || event.kind == EventKind::suspend;
  if (leaps != (event.seconds > 0)) {
    fields.complain("seconds", "belongs to the kinds clock_jump and suspend, and only there");
  }
  if (event.at_s >= scenario.duration_s) fields.complain("at_s", "is after the end");
  if (!scenario.events.empty() && event.at_s < scenario.events.back().at_s) {
    fields.complain("at_s", "events must be in order of time");
  }
  if (!complaint.found()) scenario.events.push_back(event);
}

void read_expect(const json& object, Scenario& scenario, Complaint& complaint) {
  Fields fields(object, "expect", complaint);
  ExpectSpec& expect = scenario.expect;
  if (fields.has("relief_s")) expect.relief_s = 0;
  double relief_s = 0;
  fields.read_seconds("relief_s", relief_s);
  if (expect.relief_s) expect.relief_s = relief_s;
  fields.read_positive("settle_s", expect.settle_s);
  fields.read_flag("may_oom", expect.may_oom);
  fields.read_flag("needs_no_trim", expect.needs_no_trim);
  fields.read_flag("needs_no_action", expect.needs_no_action);
  if (!expect.relief_s) {
    if (fields.has("settle_s")) fields.complain("settle_s", "means nothing without \"relief_s\"");
    return;
  }
  // Seeds shorten all times but this one by up to a tenth.
  const double least_s = expect.settle_s / kLeastFactor;
  if (*expect.relief_s + least_s >= scenario.duration_s) {
    fields.complain("relief_s", "with \"settle_s\" (" + short_number(expect.settle_s) +
                                    ") and the tenth that seeds may take off, it leaves nothing "
                                    "to check: \"duration_s\" must be more than " +
                                    short_number(*expect.relief_s + least_s));
  }
}

template <class Read>
void read_list(Fields& top, const char* key, Complaint& complaint, Read read) {
  const json* list = top.array(key);
  if (list == nullptr) return;
  for (std::size_t i = 0; i < list->size() && !complaint.found(); ++i) {
    read((*list)[i], std::string(key) + "[" + std::to_string(i) + "]");
  }
}

void read_scenario(const json& root, Scenario& scenario, Complaint& complaint) {
  Fields top(root, "", complaint);
  for (const char* key : {"title", "duration_s", "machine", "engine", "workload"}) top.need(key);
  top.read_text("title", scenario.title);
  top.read_positive("duration_s", scenario.duration_s);
  if (const json* object = top.object("machine")) {
    read_machine(*object, scenario.machine, complaint);
  }
  if (const json* object = top.object("group")) read_group(*object, scenario.group, complaint);
  if (const json* object = top.object("disk")) read_disk(*object, scenario.disk, complaint);
  if (const json* object = top.object("engine")) read_engine(*object, scenario.engine, complaint);
  read_list(top, "workload", complaint, [&](const json& object, const std::string& path) {
    read_sequence(object, path, scenario.engine, scenario.workload, complaint);
  });
  read_list(top, "neighbours", complaint, [&](const json& object, const std::string& path) {
    read_neighbour(object, path, scenario, complaint);
  });
  read_list(top, "events", complaint, [&](const json& object, const std::string& path) {
    read_event(object, path, scenario, complaint);
  });
  if (const json* object = top.object("expect")) read_expect(*object, scenario, complaint);
}

/// "line 3, column 7: ..." of the parser's message, without what it says before; it may quote all
/// that was read.
std::string place_of(const json::exception& error) {
  constexpr std::string_view kBefore = "parse error at ";
  constexpr std::size_t kMostLength = 200;
  const std::string_view text = error.what();
  const auto at = text.find(kBefore);
  const auto begin = at == std::string_view::npos ? 0 : at + kBefore.size();
  return std::string(text.substr(begin, kMostLength));
}

}  // namespace

Result<Scenario> parse_scenario(std::string_view text, std::string_view name) {
  json root;
  try {
    root = json::parse(text, nullptr, true, true);
  } catch (const json::exception& error) {
    return fail(ErrorCode::malformed, "is not JSON (comments are allowed): " + place_of(error),
                std::string(name));
  }
  Scenario scenario;
  scenario.name = name;
  Complaint complaint;
  read_scenario(root, scenario, complaint);
  if (complaint.found()) {
    return fail(ErrorCode::invalid_argument, complaint.what, std::string(name));
  }
  return scenario;
}

}  // namespace kvpsi
