// SPDX-License-Identifier: MIT
// Start here for what kvpsi does to llama.cpp: the public face of this folder. The program calls
// llama.cpp as ever; link-time wraps (wraps_*.cpp, listed in cmake/wraps.cmake) keep unused KV
// memory uncommitted and give the governor its safe points. Order of calls: set_elastic, load the
// model, create the context, GovernedContext::attach, decode. Next hops: governed_state.h (who may
// do what, when), kv_pool.h, scratch_pool.h.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "govern/ports.h"
#include "llama/token_account.h"

struct llama_model;
struct llama_context;

namespace kvpsi {

/// Off (the default): llama.cpp's memory behaves as stock does, and an attached context is only
/// observed and, where GovernOptions says so, trimmed. On: KV buffers are never committed beyond
/// the cells that were written, big buffers start on a page, and pages can be released. Also sets
/// glibc's M_MMAP_THRESHOLD to 1 MiB so that big buffers are mappings of their own. Call it before
/// the model is loaded, on one thread.
void set_elastic(bool on);
bool is_elastic();

/// May tokens be taken out of a running context?
enum class TrimMode : std::uint8_t {
  off,          ///< never
  last_resort,  ///< for need alone, and only where their rows can go to a file and return
  eager,        ///< also to make room for new work, and for good where there is no file
};

struct GovernOptions {
  TrimMode trim = TrimMode::off;
  std::uint32_t keep = 64;         ///< tokens at the start of a sequence that trim never touches
  std::uint32_t tail = 256;        ///< tokens at its end that trim never touches (at least 1)
  std::uint32_t min_prune = 64;    ///< a trim drops at least this many tokens or none
  std::uint64_t kv_min_bytes = 0;  ///< trim leaves at least this much live KV; 0 = no floor
  std::uint64_t kv_max_bytes = 0;  ///< cap on live KV for kv_cells_left and make_room; 0 = none
  /// Between decodes only wrapped calls touch the context's memory, so that the governor may trim
  /// it then: an engine at rest comes to no safe point of its own. A server that reads positions
  /// unguarded cannot promise that.
  bool trim_at_rest = false;
  /// Only sequences that the host allows it for are trimmed: it knows who asked for them.
  bool trim_only_allowed = false;
  bool release = true;  ///< false: never hand pages back (trim is seq_rm alone)
  /// Where rows go; must outlive the context. Null: nothing is spilled, and a trim is final.
  SpillStore* spill = nullptr;
  /// A sequence that no decode has touched for this long may be paged out.
  std::uint64_t spill_idle_us = 1'000'000;
  /// One that none has touched for this long goes to the file without pressure too, and comes back
  /// when it is used, not before. 0: only under pressure.
  std::uint64_t spill_park_us = 0;
  /// Scratch that no decode has used for this long goes back without pressure too: the next one
  /// pays with page faults, some milliseconds.
  std::uint64_t scratch_idle_us = 10'000'000;
  /// Rows that go to the file or back at once, bytes; two buffers of it are kept while rows move.
  std::uint64_t spill_block_bytes = std::uint64_t{3} << 20;
};

/// Whether pages of the real KV buffer come back. `what` is one clause for people.
struct SelfCheck {
  bool ok = false;
  std::uint64_t bytes_returned = 0;
  std::string what;
};

/// The model's weights by the kind of memory they lie in, bytes.
struct WeightBytes {
  std::uint64_t file_bytes = 0;    ///< mapped from the model file: page cache, can be read again
  std::uint64_t anon_bytes = 0;    ///< repacked or read without mmap: only swap can take it
  std::uint64_t device_bytes = 0;  ///< memory of a GPU or the like
  std::uint64_t locked_bytes = 0;  ///< mlocked by this process (VmLck), part of the above
};

/// How often a wrapped function was called since the program started.
struct WrapCount {
  std::string_view function;
  std::uint64_t calls = 0;
};
inline constexpr std::size_t kWrapCount = 30;
/// All wraps in the order of cmake/wraps.cmake. Any thread.
std::array<WrapCount, kWrapCount> wraps_fired();

/// One reading of a context's memory, by page map where it says resident.
struct ContextMemory {
  std::uint64_t kv_reserved_bytes = 0;
  std::uint64_t kv_live_bytes = 0;
  std::uint64_t kv_resident_bytes = 0;
  std::uint64_t kv_cells_live = 0;
  std::uint64_t kv_cells_total = 0;
  std::uint64_t kv_bytes_per_cell = 0;
  std::uint64_t scratch_reserved_bytes = 0;
  std::uint64_t scratch_resident_bytes = 0;
  std::uint64_t kv_spilled_bytes = 0;  ///< on disk, not in memory
  std::uint64_t kv_trimmed_bytes = 0;  ///< of these, out of a running context until they are back
  std::uint64_t prunes = 0;            ///< trims that took anything out
  /// Of all sequences, since attach: see TokenAccount.
  std::uint64_t tokens_trimmed = 0;
  std::uint64_t tokens_spoiled = 0;
  std::uint64_t tokens_restored = 0;
  std::uint64_t tokens_reevaluated = 0;
  std::uint64_t tokens_lost = 0;
  std::uint64_t bytes_spilled = 0;       ///< written to the spill file since attach
  std::uint64_t bytes_restored = 0;      ///< read back since attach
  std::uint64_t restore_us = 0;          ///< time spent on reading back
  std::uint64_t reduced_context_us = 0;  ///< time during which a token was out, since attach
  std::uint64_t kv_bytes_released = 0;   ///< measured, since attach
  std::uint64_t scratch_bytes_released = 0;
  std::uint64_t heap_bytes_released = 0;
  std::uint64_t release_us = 0;        ///< time spent on giving memory back
  std::uint64_t first_release_us = 0;  ///< monotonic time of the first bytes back; 0 = none yet
  std::uint64_t wraps_fired = 0;       ///< calls of all wraps since the program started
};

class GovernedState;

/// A llama_context under the governor's hand. Decoding goes on through llama_decode or
/// llama_process as before. Must not outlive the model; the context may be freed first, the pools
/// then answer `nothing`. One inference thread at a time may use the context; the pools are for the
/// governor's thread.
class GovernedContext {
 public:
  /// Takes the context in. Errors: invalid_argument (null, attached twice), unsupported (a context
  /// without memory of its own). What cannot be governed is no error: see ungoverned().
  static Result<std::unique_ptr<GovernedContext>> attach(llama_model* model, llama_context* context,
                                                         const GovernOptions& options);
  /// Detaches. The governor must have stopped using the pools.
  ~GovernedContext();
  GovernedContext(const GovernedContext&) = delete;
  GovernedContext& operator=(const GovernedContext&) = delete;

  /// KV (where supported), scratch, heap. Valid as long as this object. See ports.h for threads.
  std::span<MemoryPool* const> pools();

  /// What cannot be governed here and why, one clause each; empty when everything can.
  std::span<const std::string> ungoverned() const;

  /// Tokens may leave the running context: the options say so, and the kind of cache allows it.
  bool can_trim() const;

  /// Writes to pages of free cells, releases them and measures. Touches no live cell. Inference
  /// thread, or any while no decode runs. With elastic off or release=false: ok is false and `what`
  /// says so.
  SelfCheck self_check();

  WeightBytes weights() const;

  /// Reads the page map: milliseconds for a big cache. Inference thread, or any between decodes.
  ContextMemory measure();

  /// Cells that still fit below both n_ctx and kv_max_bytes. Inference thread. UINT64_MAX when
  /// there is no KV pool.
  std::uint64_t kv_cells_left();

  /// A pinned sequence is never paged out. Inference thread.
  void pin(std::int32_t sequence, bool pinned);

  /// What was lost for good since the last call, a clause each. Inference thread, between decodes.
  std::vector<std::string> take_losses();
  /// The same from any thread; nothing while a decode runs.
  std::vector<std::string> take_losses_at_rest();

  /// Cells of one sequence. Inference thread, or any between decodes; 0 once the context is gone.
  std::uint64_t sequence_tokens(std::int32_t sequence);

  /// What became of its tokens since attach. Inference thread, between decodes.
  TokenAccount sequence_account(std::int32_t sequence);

  /// Closes the books of a sequence with which nobody goes on: what of it cannot come back is lost
  /// by name. Inference thread, between decodes; the logits of the last decode are gone.
  SequenceBooks settle(std::int32_t sequence);

  /// Trims, where the options allow it, until `cells` more fit below kv_max_bytes and n_ctx.
  /// Inference thread, between decodes. Returns the tokens dropped; ask kv_cells_left() afterwards.
  std::uint64_t make_room(std::uint32_t cells);

 private:
  explicit GovernedContext(std::unique_ptr<GovernedState> state);
  std::unique_ptr<GovernedState> state_;
};

/// Writes a copy of a GGUF model in another type ("q4_0", "q8_0", ...), for tests of models whose
/// weights llama.cpp repacks into anonymous memory. Errors: invalid_argument for an unknown type,
/// io when llama.cpp refuses.
Result<void> requantize_model(const std::string& in, const std::string& out, std::string_view type);

}  // namespace kvpsi
