// SPDX-License-Identifier: MIT
// Which request each of llama-server's slots works for: what it asked of the governor is told to
// the slot's sequence, and a response that was made with a reduced context says so. A request is
// recognised by its tokens, which stay where they are from its handler to its slot. Next hops:
// server_responses.cpp, host_sequences.h, server_hooks.cpp (whose handlers open a scope).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace kvpsi {

/// What a request asks of the governor.
struct TrimWish {
  bool is_allowed = true;     ///< its context may be reduced while memory is short
  std::int16_t priority = 0;  ///< the lowest is reduced first
};

/// One request, from its handler's start to the end of its response. Any thread.
struct RequestNote {
  explicit RequestNote(TrimWish asked) : wish(asked) {}
  const TrimWish wish;
  /// Of that answer of it which lacked the most; 0: none lacked any. Written before the answer can
  /// be read.
  std::atomic<std::uint64_t> tokens_trimmed{0};
  std::atomic<std::uint64_t> tokens_restored{0};

  bool is_reduced() const { return tokens_trimmed > 0; }
};

/// A whole document that says so, where it does not yet: of several answers in one, llama-server
/// keeps the first one's members alone.
void mark_document(std::string& document, const RequestNote& note);

/// The server has made its slots where we see it, as every start does. Without that nobody is
/// allowed to be trimmed.
bool slots_were_seen();

/// While it lives, work that this thread gives to the server belongs to the request.
class RequestScope {
 public:
  explicit RequestScope(const std::shared_ptr<RequestNote>& note);
  ~RequestScope();
  RequestScope(const RequestScope&) = delete;
  RequestScope& operator=(const RequestScope&) = delete;
};

}  // namespace kvpsi
