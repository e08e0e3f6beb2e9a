# SPDX-License-Identifier: MIT
#
# llama.cpp as a subproject: only libllama and ggml, with KVPSI_SERVER also the libraries of
# llama-server and what it needs; static, always at -O3 whatever our own build type is, because a
# slow engine makes every measurement worthless. No source patch.
# `undefined` is not passed on: undefined behaviour in the engine is not ours to fix, while
# `address` and `thread` need instrumented callees to be right.
if(NOT EXISTS "${KVPSI_LLAMA_SOURCE_DIR}/src/llama-kv-cache.h")
  message(FATAL_ERROR
          "No llama.cpp source in ${KVPSI_LLAMA_SOURCE_DIR}: run scripts/fetch.sh llama, or point "
          "-DKVPSI_LLAMA_SOURCE_DIR= at a tree, or leave the engine out with -DKVPSI_LLAMA=OFF.")
endif()

set(KVPSI_LLAMA_COMMIT "0c1e57098" CACHE STRING "Commit of the llama.cpp tree, for the records")

function(kvpsi_add_llama)
  set(BUILD_SHARED_LIBS OFF)
  set(LLAMA_BUILD_COMMIT "${KVPSI_LLAMA_COMMIT}")
  set(LLAMA_BUILD_NUMBER 0)
  foreach(part IN ITEMS COMMON TESTS TOOLS EXAMPLES SERVER APP UI)
    set(LLAMA_BUILD_${part} OFF)
  endforeach()
  if(KVPSI_SERVER)
    foreach(part IN ITEMS COMMON TOOLS SERVER)
      set(LLAMA_BUILD_${part} ON)
    endforeach()
  endif()
  set(LLAMA_USE_PREBUILT_UI OFF)
  set(LLAMA_OPENSSL OFF)
  set(LLAMA_ALL_WARNINGS OFF)
  set(GGML_BUILD_TESTS OFF)
  set(GGML_BUILD_EXAMPLES OFF)
  set(GGML_CCACHE OFF)
  set(GGML_NATIVE ON)
  # Linting the engine takes half an hour and changes nothing.
  set(CMAKE_C_CLANG_TIDY "")
  set(CMAKE_CXX_CLANG_TIDY "")
  set(GGML_OPENMP ON)

  set(sanitizer_flags "")
  if(KVPSI_SANITIZE MATCHES "address")
    set(sanitizer_flags "-fsanitize=address -fno-omit-frame-pointer")
  elseif(KVPSI_SANITIZE STREQUAL "thread")
    # libgomp is not instrumented: its barriers would read as races. llama.cpp's own thread pool
    # takes its place.
    set(GGML_OPENMP OFF)
    set(sanitizer_flags "-fsanitize=thread -fno-omit-frame-pointer")
  endif()
  foreach(language IN ITEMS C CXX)
    set(CMAKE_${language}_FLAGS "${CMAKE_${language}_FLAGS} ${sanitizer_flags} -w")
    set(CMAKE_${language}_FLAGS_${KVPSI_BUILD_TYPE_UPPER} "-O3 -DNDEBUG")
  endforeach()

  # Its configure talk is a screenful that says nothing about kvpsi.
  set(CMAKE_MESSAGE_LOG_LEVEL WARNING)
  add_subdirectory("${KVPSI_LLAMA_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/llama.cpp"
                   EXCLUDE_FROM_ALL SYSTEM)
  # AMX repacks weights into anonymous memory, which nobody can drop and read again; and g++ 12
  # takes ldtilecfg for a reader of 8 bytes only, so that the tile configuration is garbage.
  include(CheckCXXCompilerFlag)
  check_cxx_compiler_flag(-mno-amx-tile KVPSI_KNOWS_AMX)
  if(KVPSI_KNOWS_AMX)
    target_compile_options(ggml-cpu PRIVATE -mno-amx-tile -mno-amx-int8 -mno-amx-bf16)
  endif()
endfunction()
kvpsi_add_llama()
