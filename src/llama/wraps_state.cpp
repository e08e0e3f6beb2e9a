// SPDX-License-Identifier: MIT
// The wraps around llama.cpp's saving and loading of state. Asking for a size counts as reading:
// what it says must still be true when the data are asked for. Next hop: wraps.h.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "llama-impl.h"
#include "llama/state_file.h"
#include "llama/state_observer.h"
#include "llama/wraps.h"

namespace {

using kvpsi::count_call;
using kvpsi::read_state;
using kvpsi::Wrap;
using kvpsi::write_state;

constexpr llama_seq_id kAll = -1;

kvpsi::StateObserver* the_observer = nullptr;

KVPSI_SAME_SHAPE(llama_state_get_size);
KVPSI_SAME_SHAPE(llama_state_get_data);
KVPSI_SAME_SHAPE(llama_state_save_file);
KVPSI_SAME_SHAPE(llama_state_seq_get_size);
KVPSI_SAME_SHAPE(llama_state_seq_get_size_ext);
KVPSI_SAME_SHAPE(llama_state_seq_get_data);
KVPSI_SAME_SHAPE(llama_state_seq_get_data_ext);
KVPSI_SAME_SHAPE(llama_state_seq_save_file);
KVPSI_SAME_SHAPE(llama_state_load_file);
KVPSI_SAME_SHAPE(llama_state_set_data);
KVPSI_SAME_SHAPE(llama_state_seq_load_file);
KVPSI_SAME_SHAPE(llama_state_seq_set_data);
KVPSI_SAME_SHAPE(llama_state_seq_set_data_ext);

/// A file of a governed context that ends before its state does.
bool is_cut_short(llama_context* context, const char* path) {
  kvpsi::GovernedState* const state = kvpsi::find_attached(context);
  if (state == nullptr || state->kv() == nullptr) return false;
  std::vector<kvpsi::StatePart> parts;
  for (const auto& part : state->kv()->parts()) {
    parts.push_back({part->layout().tensors, part->layout().row_bytes_per_cell});
  }
  return kvpsi::is_cut_short(path, parts);
}

}  // namespace

void kvpsi::set_state_observer(StateObserver* observer) { the_observer = observer; }

extern "C" {

std::size_t __wrap_llama_state_get_size(llama_context* ctx) {
  count_call(Wrap::llama_state_get_size);
  return read_state(ctx, kAll, [&] { return __real_llama_state_get_size(ctx); });
}

std::size_t __wrap_llama_state_get_data(llama_context* ctx, std::uint8_t* data, std::size_t size) {
  count_call(Wrap::llama_state_get_data);
  return read_state(ctx, kAll, [&] { return __real_llama_state_get_data(ctx, data, size); });
}

bool __wrap_llama_state_save_file(llama_context* ctx, const char* path, const llama_token* tokens,
                                  std::size_t count) {
  count_call(Wrap::llama_state_save_file);
  return read_state(ctx, kAll,
                    [&] { return __real_llama_state_save_file(ctx, path, tokens, count); });
}

std::size_t __wrap_llama_state_seq_get_size(llama_context* ctx, llama_seq_id seq) {
  count_call(Wrap::llama_state_seq_get_size);
  return read_state(ctx, seq, [&] { return __real_llama_state_seq_get_size(ctx, seq); });
}

std::size_t __wrap_llama_state_seq_get_size_ext(llama_context* ctx, llama_seq_id seq,
                                                llama_state_seq_flags flags) {
  count_call(Wrap::llama_state_seq_get_size_ext);
  return read_state(ctx, seq, [&] { return __real_llama_state_seq_get_size_ext(ctx, seq, flags); });
}

std::size_t __wrap_llama_state_seq_get_data(llama_context* ctx, std::uint8_t* data,
                                            std::size_t size, llama_seq_id seq) {
  count_call(Wrap::llama_state_seq_get_data);
  return read_state(ctx, seq,
                    [&] { return __real_llama_state_seq_get_data(ctx, data, size, seq); });
}

std::size_t __wrap_llama_state_seq_get_data_ext(llama_context* ctx, std::uint8_t* data,
                                                std::size_t size, llama_seq_id seq,
                                                llama_state_seq_flags flags) {
  count_call(Wrap::llama_state_seq_get_data_ext);
  const std::size_t filled = read_state(
      ctx, seq, [&] { return __real_llama_state_seq_get_data_ext(ctx, data, size, seq, flags); },
      {.memory = data});
  if (the_observer != nullptr) the_observer->has_filled(std::as_bytes(std::span(data, size)));
  return filled;
}

std::size_t __wrap_llama_state_seq_save_file(llama_context* ctx, const char* path, llama_seq_id seq,
                                             const llama_token* tokens, std::size_t count) {
  count_call(Wrap::llama_state_seq_save_file);
  return read_state(ctx, seq,
                    [&] { return __real_llama_state_seq_save_file(ctx, path, seq, tokens, count); },
                    {.path = path});
}

bool __wrap_llama_state_load_file(llama_context* ctx, const char* path, llama_token* tokens,
                                  std::size_t capacity, std::size_t* count) {
  count_call(Wrap::llama_state_load_file);
  return write_state(
      ctx, kAll, [&] { return __real_llama_state_load_file(ctx, path, tokens, capacity, count); });
}

std::size_t __wrap_llama_state_set_data(llama_context* ctx, const std::uint8_t* data,
                                        std::size_t size) {
  count_call(Wrap::llama_state_set_data);
  return write_state(ctx, kAll, [&] { return __real_llama_state_set_data(ctx, data, size); });
}

std::size_t __wrap_llama_state_seq_load_file(llama_context* ctx, const char* path, llama_seq_id seq,
                                             llama_token* tokens, std::size_t capacity,
                                             std::size_t* count) {
  count_call(Wrap::llama_state_seq_load_file);
  if (is_cut_short(ctx, path)) {
    LLAMA_LOG_ERROR("%s: '%s' ends before its last row\n", "llama_state_seq_load_file", path);
    return 0;
  }
  const auto load = [&] {
    return __real_llama_state_seq_load_file(ctx, path, seq, tokens, capacity, count);
  };
  // Without room for the tokens it only says how many there are, and loads nothing.
  return tokens == nullptr ? load() : write_state(ctx, seq, load, {.path = path});
}

std::size_t __wrap_llama_state_seq_set_data(llama_context* ctx, const std::uint8_t* data,
                                            std::size_t size, llama_seq_id seq) {
  count_call(Wrap::llama_state_seq_set_data);
  return write_state(ctx, seq,
                     [&] { return __real_llama_state_seq_set_data(ctx, data, size, seq); });
}

std::size_t __wrap_llama_state_seq_set_data_ext(llama_context* ctx, const std::uint8_t* data,
                                                std::size_t size, llama_seq_id seq,
                                                llama_state_seq_flags flags) {
  count_call(Wrap::llama_state_seq_set_data_ext);
  const bool is_whole =
      the_observer == nullptr || the_observer->will_read(std::as_bytes(std::span(data, size)));
  if (!is_whole) return 0;  // as llama.cpp answers for a state that it cannot read
  return write_state(
      ctx, seq, [&] { return __real_llama_state_seq_set_data_ext(ctx, data, size, seq, flags); },
      {.memory = data});
}

}  // extern "C"
