// SPDX-License-Identifier: MIT
// See server_responses.h. The server launches a task on the thread of its slots: it validates the
// task's tokens, then sets the slot's sampler; a slot that is released gets none. Symbols are those
// of the Itanium ABI: `this` is the first argument. Next hop: llama-server's server-context.cpp.
#include "llama/server_responses.h"

#include <map>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "llama/host_sequences.h"
#include "server-queue.h"
#include "server-task.h"

namespace kvpsi {
namespace {

thread_local const std::shared_ptr<RequestNote>* current = nullptr;

/// A task and whose it is.
struct Task {
  int id = -1;
  std::weak_ptr<RequestNote> note;
};

json make_member(std::uint64_t trimmed, std::uint64_t restored) {
  return {{"context", "reduced"}, {"tokens_trimmed", trimmed}, {"tokens_restored", restored}};
}

/// What llama-server writes of a whole response, and what it had to do without.
class ReducedFinal final : public server_task_result_cmpl_final {
 public:
  ReducedFinal(server_task_result_cmpl_final&& whole, const ContextGap& gap)
      : server_task_result_cmpl_final(std::move(whole)), gap_(gap) {}

  json to_json() override {
    json out = server_task_result_cmpl_final::to_json();
    json* at = &out;
    if (at->is_array() && !at->empty()) at = &at->back();   // a stream's last chunk
    for (const char* const inner : {"data", "response"}) {  // an event's own object
      if (at->is_object() && at->contains(inner) && at->at(inner).is_object()) at = &at->at(inner);
    }
    if (!at->is_object()) return out;
    (*at)["kvpsi"] = make_member(gap_.trimmed, gap_.restored);
    return out;
  }

 private:
  const ContextGap gap_;
};

/// One for the process.
class Slots {
 public:
  /// The handler's thread.
  void on_posted(const std::vector<server_task>& tasks) {
    if (current == nullptr) return;
    const std::lock_guard lock(mutex_);
    std::erase_if(posted_, [](const auto& entry) { return entry.second.note.expired(); });
    for (const server_task& task : tasks) {
      add(task);
      for (const server_task& child : task.child_tasks) add(child);
    }
  }

  // The thread of the slots from here on.

  void on_validated(const server_tokens& tokens, const llama_context* context) {
    if (!tokens.has_mtmd) know_loaded_tokens(context, tokens.get_tokens());
    const std::lock_guard lock(mutex_);
    context_ = context;
    launching_.reset();
    prompt_.clear();
    if (tokens.empty()) return;
    const auto found = posted_.find(&tokens[0]);
    if (found == posted_.end()) return;
    launching_ = std::move(found->second);
    posted_.erase(found);
    if (!tokens.has_mtmd) prompt_ = tokens.get_tokens();
  }

  void on_sampler(const llama_context* context, llama_seq_id slot) {
    were_seen_ = true;
    std::shared_ptr<RequestNote> note;
    llama_tokens prompt;
    {
      const std::lock_guard lock(mutex_);
      if (context != context_) return;  // a draft's
      std::optional<Task> task = std::exchange(launching_, std::nullopt);
      if (task) note = task->note.lock();
      prompt.swap(prompt_);
      running_.erase(slot);
      if (note != nullptr) running_[slot] = std::move(*task);
    }
    if (note != nullptr) {
      begin_response(
          context, slot,
          {.may_trim = note->wish.is_allowed, .priority = note->wish.priority, .prompt = prompt});
    } else {
      end_response(context, slot);
    }
  }

  void on_result(server_task_result_ptr& result) {
    if (result == nullptr) return;
    auto* const whole = dynamic_cast<server_task_result_cmpl_final*>(result.get());
    const bool is_part = dynamic_cast<server_task_result_cmpl_partial*>(result.get()) != nullptr;
    llama_seq_id slot = -1;
    const llama_context* context = nullptr;
    std::shared_ptr<RequestNote> note;
    {
      const std::lock_guard lock(mutex_);
      launching_.reset();  // it was answered instead
      if (whole == nullptr && !is_part) return;
      for (const auto& [at, task] : running_) {
        if (task.id != result->id) continue;
        slot = at;
        note = task.note.lock();
      }
      context = context_;
    }
    if (slot < 0) return;
    const ContextGap gap = gap_of(context, slot);
    if (!gap.is_reduced()) return;
    if (note != nullptr && gap.trimmed > note->tokens_trimmed) {
      note->tokens_restored = gap.restored;
      note->tokens_trimmed = gap.trimmed;
    }
    if (whole != nullptr) result = std::make_unique<ReducedFinal>(std::move(*whole), gap);
  }

  bool were_seen() const { return were_seen_; }  ///< any thread

 private:
  void add(const server_task& task) {
    if (!task.need_sampling() || task.tokens.empty()) return;
    posted_[&task.tokens[0]] = {task.id, *current};
  }

  std::atomic<bool> were_seen_{false};
  std::mutex mutex_;
  std::map<const llama_token*, Task> posted_;  ///< on their way to a slot, by their first token
  std::map<llama_seq_id, Task> running_;
  std::optional<Task> launching_;
  llama_tokens prompt_;                     ///< of what is launching
  const llama_context* context_ = nullptr;  ///< the target's
};

Slots& slots() {
  static Slots instance;
  return instance;
}

}  // namespace

void mark_document(std::string& document, const RequestNote& note) {
  if (document.empty()) return;  // its client has hung up
  json parsed = json::parse(document);
  if (!parsed.is_object() || parsed.contains("kvpsi")) return;
  parsed["kvpsi"] = make_member(note.tokens_trimmed, note.tokens_restored);
  document = safe_json_to_str(parsed);
}

bool slots_were_seen() { return slots().were_seen(); }

RequestScope::RequestScope(const std::shared_ptr<RequestNote>& note) { current = &note; }
RequestScope::~RequestScope() { current = nullptr; }

}  // namespace kvpsi

namespace {

using Tasks = std::vector<server_task>;

static_assert(std::is_same_v<decltype(&server_response::send),
                             void (server_response::*)(server_task_result_ptr&&)>);
static_assert(std::is_same_v<decltype(&server_response_reader::post_tasks),
                             void (server_response_reader::*)(Tasks&&, bool)>);
static_assert(std::is_same_v<decltype(&server_tokens::validate),
                             bool (server_tokens::*)(const llama_context*) const>);
static_assert(std::is_same_v<decltype(llama_set_sampler),
                             bool(llama_context*, llama_seq_id, llama_sampler*)>);

}  // namespace

extern "C" {

void __real__ZN22server_response_reader10post_tasksEOSt6vectorI11server_taskSaIS1_EEb(
    server_response_reader* self, Tasks&& tasks, bool front);
void __wrap__ZN22server_response_reader10post_tasksEOSt6vectorI11server_taskSaIS1_EEb(
    server_response_reader* self, Tasks&& tasks, bool front) {
  kvpsi::slots().on_posted(tasks);
  __real__ZN22server_response_reader10post_tasksEOSt6vectorI11server_taskSaIS1_EEb(
      self, std::move(tasks), front);
}

bool __real__ZNK13server_tokens8validateEPK13llama_context(const server_tokens* self,
                                                           const llama_context* context);
bool __wrap__ZNK13server_tokens8validateEPK13llama_context(const server_tokens* self,
                                                           const llama_context* context) {
  const bool is_valid = __real__ZNK13server_tokens8validateEPK13llama_context(self, context);
  if (is_valid) kvpsi::slots().on_validated(*self, context);
  return is_valid;
}

bool __real_llama_set_sampler(llama_context* context, llama_seq_id slot, llama_sampler* sampler);
bool __wrap_llama_set_sampler(llama_context* context, llama_seq_id slot, llama_sampler* sampler) {
  kvpsi::slots().on_sampler(context, slot);
  return __real_llama_set_sampler(context, slot, sampler);
}

void __real__ZN15server_response4sendEOSt10unique_ptrI18server_task_resultSt14default_deleteIS1_EE(
    server_response* self, server_task_result_ptr&& result);
void __wrap__ZN15server_response4sendEOSt10unique_ptrI18server_task_resultSt14default_deleteIS1_EE(
    server_response* self, server_task_result_ptr&& result) {
  kvpsi::slots().on_result(result);
  __real__ZN15server_response4sendEOSt10unique_ptrI18server_task_resultSt14default_deleteIS1_EE(
      self, std::move(result));
}

}  // extern "C"
