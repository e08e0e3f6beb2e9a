// SPDX-License-Identifier: MIT
// See routes.h.
#include "serve/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <nlohmann/json.hpp>

#include "report/openmetrics.h"
#include "serve/metrics.h"
#include "serve/state.h"

namespace kvpsi {
namespace {

HttpResponse answer_done(bool is_done) {
  if (!is_done) {
    return make_error(501, "not_supported_error", "no governor runs here (--psi-governor off)");
  }
  HttpResponse response;
  response.body = R"({"success":true})";
  return response;
}

HttpResponse answer_state(RouteHost& host) {
  HttpResponse response;
  response.body = make_state(host.snapshot());
  return response;
}

HttpResponse answer_metrics(RouteHost& host) {
  HttpResponse response;
  response.content_type = kOpenMetricsType;
  response.body = make_metrics(host.snapshot());
  return response;
}

/// The process answers: whoever restarts it for memory that is short makes things worse.
HttpResponse answer_live(RouteHost&) {
  HttpResponse response;
  response.body = R"({"status":"ok"})";
  return response;
}

/// New work would be admitted: for whoever spreads work over servers.
HttpResponse answer_ready(RouteHost& host) {
  const Admission admission = host.snapshot().admission;
  return admission.admits() ? answer_live(host) : make_refusal(admission);
}

HttpResponse answer_give_back(RouteHost& host) { return answer_done(host.give_back()); }
HttpResponse answer_pause(RouteHost& host) { return answer_done(host.set_paused(true)); }
HttpResponse answer_resume(RouteHost& host) { return answer_done(host.set_paused(false)); }

constexpr std::array kRoutes = {
    Route{Method::get, "/kvpsi/state", answer_state},
    Route{Method::get, "/kvpsi/metrics", answer_metrics},
    Route{Method::get, "/kvpsi/live", answer_live},
    Route{Method::get, "/kvpsi/ready", answer_ready},
    Route{Method::post, "/kvpsi/give-back", answer_give_back},
    Route{Method::post, "/kvpsi/pause", answer_pause},
    Route{Method::post, "/kvpsi/resume", answer_resume},
};

/// llama-server's own, all spellings; those that only count, tokenize or show are not here.
/// Vertex's /predict goes through these by itself.
constexpr std::array<std::string_view, 18> kWork = {"/completion",
                                                    "/completions",
                                                    "/v1/completions",
                                                    "/chat/completions",
                                                    "/v1/chat/completions",
                                                    "/v1/responses",
                                                    "/responses",
                                                    "/v1/messages",
                                                    "/infill",
                                                    "/embedding",
                                                    "/embeddings",
                                                    "/v1/embeddings",
                                                    "/rerank",
                                                    "/reranking",
                                                    "/v1/rerank",
                                                    "/v1/reranking",
                                                    "/audio/transcriptions",
                                                    "/v1/audio/transcriptions"};

std::string_view explain(Refusal refusal) {
  switch (refusal) {
    case Refusal::critical:
      return "the machine is critically short of memory";
    case Refusal::high:
      return "the machine is short of memory, and requests that run are to end first";
    case Refusal::edge:
      return "memory is nearly full and nothing can be reclaimed, and requests that run are to end "
             "first";
    case Refusal::budget:
      return "the KV cache has no room for more until requests that run have ended";
    case Refusal::turn:
      return "the machine is short of memory, and requests that came before wait for their turn";
    case Refusal::none:
      break;
  }
  return "";
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

bool is_work(std::string_view path) { return std::ranges::find(kWork, path) != kWork.end(); }

HttpResponse answer(const Route& route, RouteHost& host) noexcept {
  try {
    return route.answer(host);
  } catch (...) {  // out of memory, at the worst of moments
    HttpResponse response;
    response.status = 500;
    return response;
  }
}

HttpResponse make_error(int status, std::string_view type, std::string_view message) {
  HttpResponse response;
  response.status = status;
  const nlohmann::ordered_json error{{"code", status}, {"message", message}, {"type", type}};
  response.body = nlohmann::ordered_json{{"error", error}}.dump();
  return response;
}

HttpResponse make_refusal(const Admission& admission) {
  HttpResponse response = make_error(
      503, "unavailable_error",
      fmt::format("{}; try again in {} s", explain(admission.refusal), admission.retry_after_s));
  response.headers.emplace_back("Retry-After", fmt::format("{}", admission.retry_after_s));
  return response;
}

}  // namespace kvpsi
