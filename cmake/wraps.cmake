# SPDX-License-Identifier: MIT
#
# The functions of llama.cpp that kvpsi stands in front of, in one place. The linker sends every
# call that crosses an object file to __wrap_<name>, which src/llama defines; __real_<name> is the
# original. A call inside the object file that defines the function is not caught: that is why the
# wraps are asserted to fire at start-up.
set(KVPSI_WRAPPED_FUNCTIONS
    ggml_aligned_malloc
    ggml_backend_buffer_clear
    ggml_backend_buffer_free
    ggml_backend_buffer_set_usage
    ggml_backend_sched_graph_compute_async
    ggml_backend_tensor_copy
    llama_decode
    llama_encode
    llama_free
    llama_init_from_model
    llama_memory_clear
    llama_memory_seq_add
    llama_memory_seq_cp
    llama_memory_seq_div
    llama_memory_seq_keep
    llama_memory_seq_rm
    llama_process
    llama_state_get_data
    llama_state_get_size
    llama_state_load_file
    llama_state_save_file
    llama_state_seq_get_data
    llama_state_seq_get_data_ext
    llama_state_seq_get_size
    llama_state_seq_get_size_ext
    llama_state_seq_load_file
    llama_state_seq_save_file
    llama_state_seq_set_data
    llama_state_seq_set_data_ext
    llama_state_set_data)

# The same for the libraries of llama-server; C++, hence the mangled names.
string(CONCAT kvpsi_http_post
    "_ZNK19server_http_context4postERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcE"
    "EERKSt8functionIFSt10unique_ptrI15server_http_resSt14default_deleteISA_EERK15server"
    "_http_reqEE")
set(KVPSI_WRAPPED_SERVER_FUNCTIONS
    llama_set_sampler
    _ZNK13server_tokens8validateEPK13llama_context
    _ZN15server_response4sendEOSt10unique_ptrI18server_task_resultSt14default_deleteIS1_EE
    _ZN22server_response_reader10post_tasksEOSt6vectorI11server_taskSaIS1_EEb
    _ZN14server_context10start_loopEv
    _ZN19server_prompt_cache4loadER13server_promptRK13server_tokensP13llama_contextS6_i
    _ZN19server_prompt_cache5allocERK13server_promptmm
    _ZN19server_prompt_cache6updateEv
    _ZN19server_http_context5startEv
    _ZNK19server_http_context4stopEv
    ${kvpsi_http_post})

# kvpsi_wrap_functions(<target> <names>...): every executable that links <target> gets the wraps.
# The archive of <target> stands before those of llama.cpp on the link line, where nothing has asked
# for __wrap_* yet; --undefined asks for them there, so that no archive has to be taken whole.
function(kvpsi_wrap_functions target)
  foreach(name IN LISTS ARGN)
    target_link_options(${target} INTERFACE
        "LINKER:--wrap=${name}" "LINKER:--undefined=__wrap_${name}")
  endforeach()
endfunction()
